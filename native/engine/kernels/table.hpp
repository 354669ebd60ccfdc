// The table of kernels of the instruction set that this file is compiled for.
#pragma once
#include "attention.hpp"
#include "decode.hpp"
#include "elements.hpp"
#include "gemm.hpp"
#include "gradients.hpp"
#include "rows.hpp"

namespace {

// Number: what products take, float or bf16
template <class Number>
INLINE engine::Kernels table(const char* name) {
  engine::Kernels k = {};
  k.name = name;
  k.panel = NR;
  k.numberSize = sizeof(Number);
  k.packedBlock = 1;
  k.pack = packPanels<Number>;
  k.packTransposed = packPanelsTransposed<Number>;
  k.product = product<Number>;
  k.accumulateGradient = accumulateGradient<Number>;
  k.streamProduct = streamProduct<Number>;
  k.keepToken = keepToken;
  k.attendToKept = attendToKept;
  k.attend = attend;
  k.attendBackward = attendBackward;
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

// both tables, which know each other
struct Tables {
  engine::Kernels fp32, bf16Products;
  explicit Tables(const char* name) : fp32(table<float>(name)), bf16Products(table<bf16>(name)) {
    fp32.fp32 = bf16Products.fp32 = &fp32;
    fp32.bf16 = bf16Products.bf16 = &bf16Products;
  }
};

}  // namespace
