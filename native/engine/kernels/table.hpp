// Builds the table of kernels (kernels.hpp) for the instruction set that the including file is compiled for.
#pragma once
#include "attention.hpp"
#include "decode.hpp"
#include "elements.hpp"
#include "gemm.hpp"
#include "gradients.hpp"
#include "rotary.hpp"
#include "rows.hpp"

namespace {

// Element: type of packed matrices, float or bf16.
template <class Element>
INLINE engine::Kernels table(const char* name) {
  engine::Kernels k = {};
  k.name = name;
  k.panel = NR;
  k.elementSize = sizeof(Element);
  k.packedBlock = 1;
  k.pack = packPanels<Element>;
  k.packTransposed = packPanelsTransposed<Element>;
  k.product = product<Element>;
  k.accumulateGradient = accumulateGradient<Element>;
  k.streamProduct = streamProduct<Element>;
  k.appendToCache = appendToCache;
  k.attentionDecode = attentionDecode;
  k.attention = attention;
  k.attentionBackward = attentionBackward;
  k.rotate = rotate;
  k.layerNorm = layerNorm;
  k.layerNormBackward = layerNormBackward;
  k.addColumnSums = addColumnSums;
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
  k.multiplyAdds = multiplyAdds;
  k.exp = exponentialArray;
  k.tanh = tanhArray;
  k.sigmoid = sigmoidArray;
  return k;
}

// The tables with fp32 and with bf16 products, linked to each other.
struct Tables {
  engine::Kernels fp32, bf16Products;
  explicit Tables(const char* name) : fp32(table<float>(name)), bf16Products(table<bf16>(name)) {
    fp32.fp32 = bf16Products.fp32 = &fp32;
    fp32.bf16 = bf16Products.bf16 = &bf16Products;
  }
};

}  // namespace
