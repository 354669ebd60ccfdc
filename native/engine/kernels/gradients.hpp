// Gradients of weights, C = Aᵀ·B. Both matrices are activations or their gradients, so neither is packed beforehand.
// This file packs parts of them.
#pragma once
#include "gemm.hpp"

namespace {

// A (K,M), rows `stride` apart → packed [panel of PA columns][k][column]. Reads a few rows of A at a time, from end to
// end.
static void packColumns(int M, int K, const float* A, long stride, float* packed) {
  constexpr int kFew = 4, last = PA % W ? PA % W : W;
  for (int start = 0; start < K; start += kFew) {
    const int rows = K - start < kFew ? K - start : kFew;
    const float* from = A + start * stride;
    for (int p = 0; p < M; p += PA) {
      float* to = packed + static_cast<long>(p) * K + start * PA;
      if (M - p >= PA)
        for (int k = 0; k < rows; k++) {
          UNROLL_FOR (int c = 0; c + W < PA; c += W) store(to + k * PA + c, load(from + k * stride + p + c));
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

// B (K,n), rows `stride` apart → packed [k][columns rounded up to whole vectors]
static void packRowsOf(int K, int n, const float* B, long stride, float* packed) {
  if (n == kTileVectors * W)
    for (int k = 0; k < K; k++, B += stride, packed += kTileVectors * W)
      UNROLL_FOR (int v = 0; v < kTileVectors; v++) store(packed + v * W, load(B + v * W));
  else
    for (int k = 0; k < K; k++, B += stride)
      for (int j = 0; j < n; j += W, packed += W) store(packed, loadLanes(B + j, n - j < W ? n - j : W));
}

// KG: rows of A and B used at a time. KT: rows used by a tile. Its part of B and its columns of A stay in the L1 cache.
constexpr int KG = engine::kGradientRows, KT = 512 / kTileVectors;
// MG: rows of C computed at a time. The packed part of A stays in the L2 cache.
constexpr int MG = engine::kGradientColumns;
// With at most this many rows of C, B is read in place: packing it would cost more than it saves.
constexpr int kDirectRows = 70;

/// A (K,M), B (K,N) → C (M,N) += Aᵀ·B, or = if `overwrite`. See Kernels::accumulateGradient.
template <class Element>
static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB,
                               float* C, long strideC, bool overwrite, float* scratch) {
  constexpr bool roundsToBf16 = sizeof(Element) == 2;
  float* packedA = scratch + KG * engine::kGradientVectors;
  const bool pack = roundsToBf16 || N > kTileVectors * W;
  forEvenParts(K, KG, [&](int k, int depth) {
    for (int i = 0; i < M; i += MG) {
      const int rows = M - i < MG ? M - i : MG;
      const float* Ai = A + k * strideA + i;
      if (pack) packColumns(rows, depth, Ai, strideA, packedA);
      if (roundsToBf16) roundAll(static_cast<long>((rows + PA - 1) / PA * PA) * depth, packedA);
      const long panelA = static_cast<long>(depth) * PA;
      forPanelGroups(N, kTileVectors, [&](int j, int n, int count) {
        const float* Bj = B + k * strideB + j;
        const bool direct = !roundsToBf16 && n == count * W && rows <= kDirectRows;
        if (!direct) packRowsOf(depth, n, Bj, strideB, scratch);
        if (roundsToBf16) roundAll(static_cast<long>(depth) * count * W, scratch);
        forEvenParts(depth, KT, [&](int k1, int part) {
          TileArgs b;
          b.K = part;
          b.B = direct ? Bj + k1 * strideB : scratch + k1 * count * W;
          b.strideB = direct ? strideB : count * W;
          b.nextVector = W;
          b.C = C + i * strideC + j;
          b.strideC = strideC;
          b.addend = overwrite && k + k1 == 0 ? nullptr : b.C;
          b.addendStride = strideC;
          b.bias = nullptr;
          b.n = n;
          b.prefetchNext = j + count * W < N ? Bj + k1 * strideB + count * W : b.B;
          b.prefetchStride = strideB;
          b.A = pack ? packedA + k1 * PA : Ai + k1 * strideA;
          b.strideA = pack ? PA : strideA;
          macroKernelByColumns(rows, count, b, pack, panelA);
        });
      });
    }
  });
}

}  // namespace
