// Gradients of weights, C = Aᵀ·B, where nothing is packed beforehand.
#pragma once
#include "gemm.hpp"

namespace {

// columns of A (K × M) packed, [panel of PA columns][k][column]; a few rows of A at a time, read from end to end
static void packColumns(int M, int K, const float* A, long stride, float* packed) {
  constexpr int kFew = 4, last = PA % W ? PA % W : W;
  for (int start = 0; start < K; start += kFew) {
    const int rows = K - start < kFew ? K - start : kFew;
    const float* from = A + start * stride;
    for (int p = 0; p < M; p += PA) {
      float* to = packed + static_cast<long>(p) * K + start * PA;
      if (M - p >= PA)
        for (int k = 0; k < rows; k++) {
          UNROLL for (int c = 0; c + W < PA; c += W) store(to + k * PA + c, load(from + k * stride + p + c));
          storeLanes(to + k * PA + PA - last, loadLanes(from + k * stride + p + PA - last, last), last);
        }
      else
        for (int k = 0; k < rows; k++)
          forVectors(M - p, [&](long c, int lanes) {
            storeLanes(to + k * PA + c, loadLanes(from + k * stride + p + c, lanes), lanes);
          });
    }
  }
}

// rows of B as wide as a tile takes them
static void packRowsOf(int K, int n, const float* B, long stride, float* packed) {
  if (n == kVectors * W)
    for (int k = 0; k < K; k++, B += stride, packed += kVectors * W)
      UNROLL for (int v = 0; v < kVectors; v++) store(packed + v * W, load(B + v * W));
  else
    for (int k = 0; k < K; k++, B += stride)
      for (int j = 0; j < n; j += W, packed += W) store(packed, loadLanes(B + j, n - j < W ? n - j : W));
}

// rows of A and B taken at a time; and by a tile, whose part of B stays in the first-level cache with its columns of A
constexpr int KG = engine::kGradientRows, KT = 512 / kVectors;
// rows of C taken at a time: the packed part of A stays in the second-level cache
constexpr int MG = engine::kGradientColumns;
// up to so many rows of C, B is read where it lies: packing it would not pay
constexpr int kDirectRows = 70;

template <class Number>
static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB,
                               float* C, long strideC, bool first, float* scratch) {
  constexpr bool rounds = sizeof(Number) == 2;
  float* packedA = scratch + KG * engine::kGradientVectors;
  const bool pack = rounds || N > kVectors * W;
  forParts(K, KG, [&](int k, int depth) {
    for (int i = 0; i < M; i += MG) {
      const int rows = M - i < MG ? M - i : MG;
      const float* Ai = A + k * strideA + i;
      if (pack) packColumns(rows, depth, Ai, strideA, packedA);
      if (rounds) roundAll(static_cast<long>((rows + PA - 1) / PA * PA) * depth, packedA);
      const long panelA = static_cast<long>(depth) * PA;
      forGroups(N, kVectors, [&](int j, int n, int count) {
        const float* Bj = B + k * strideB + j;
        const bool direct = !rounds && n == count * W && rows <= kDirectRows;
        if (!direct) packRowsOf(depth, n, Bj, strideB, scratch);
        if (rounds) roundAll(static_cast<long>(depth) * count * W, scratch);
        forParts(depth, KT, [&](int k1, int part) {
          Block b;
          b.K = part;
          b.B = direct ? Bj + k1 * strideB : scratch + k1 * count * W;
          b.strideB = direct ? strideB : count * W;
          b.nextVector = W;
          b.C = C + i * strideC + j;
          b.strideC = strideC;
          b.addend = first && k + k1 == 0 ? nullptr : b.C;
          b.addendStride = strideC;
          b.bias = nullptr;
          b.n = n;
          b.ahead = j + count * W < N ? Bj + k1 * strideB + count * W : b.B;
          b.aheadStride = strideB;
          b.A = pack ? packedA + k1 * PA : Ai + k1 * strideA;
          b.strideA = pack ? PA : strideA;
          groupByColumns(rows, count, b, pack, panelA);
        });
      });
    }
  });
}

}  // namespace
