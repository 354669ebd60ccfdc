// The table of kernels of the instruction set that this file is compiled for.
#pragma once
#include "elements.hpp"
#include "gemm.hpp"
#include "rows.hpp"

namespace {

INLINE engine::Kernels table(const char* name) {
  engine::Kernels k = {};
  k.name = name;
  k.panel = NR;
  k.pack = packPanels;
  k.packTransposed = packPanelsTransposed;
  k.product = product;
  k.accumulateGradient = accumulateGradient;
  k.layerNorm = layerNorm;
  k.layerNormBackward = layerNormBackward;
  k.addColumnSums = addColumnSums;
  k.causalSoftmax = causalSoftmax;
  k.causalProbabilities = causalProbabilities;
  k.causalSoftmaxBackward = causalSoftmaxBackward;
  k.crossEntropy = crossEntropy;
  k.gelu = gelu;
  k.geluBackward = geluBackward;
  k.add = add;
  k.dropout = dropout;
  k.dropoutRows = dropoutRows;
  k.lstmCell = lstmCell;
  k.lstmCellBackward = lstmCellBackward;
  k.sumOfSquares = sumOfSquares;
  k.adamw = adamw;
  k.exp = exponentialArray;
  k.tanh = tanhArray;
  k.sigmoid = sigmoidArray;
  return k;
}

}  // namespace
