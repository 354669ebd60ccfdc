// Products with weights, in the loop structure of GotoBLAS and BLIS. Weights (B) are packed beforehand into panels of W
// columns, [panel][k][W]. With fp32, A is read in place, and each element is broadcast. With bf16, A is packed and
// rounded, and panels are unpacked to fp32 for each group of rows.
//
// Names as in BLIS: M, N, K; KC and MC are cache blocks, NR the width that packed matrices are padded to.
#pragma once
#include "tiles.hpp"

namespace {

// Packed matrices are padded to whole pairs of panels.
constexpr int NR = 2 * W;
// KC: rows of B used at a time. The vectors of a tile stay in the L1 cache. They may fill it if many rows of A use them
// (M ≥ kSmallM), so that sums are stored less often.
constexpr int KC = kTileVectors == 4 ? 192 : 256, KCSmallM = kTileVectors == 4 ? 128 : 256, kSmallM = 64;
// MC: rows of A used at a time. They stay in the L2 cache while the panels pass.
constexpr int MC = 264;
// An A (or C) of more floats than this does not stay in the L2 cache.
constexpr long kL2Floats = 128 << 10;

/// B (K,N), rows `stride` apart → panels [⌈N/W⌉][K][W], padded with zeros
template <class Element>
static void packPanels(int K, int N, const float* B, long stride, float* panels) {
  Element* packed = reinterpret_cast<Element*>(panels);
  for (int j = 0; j < N; j += W) {
    const int n = N - j < W ? N - j : W;
    for (int k = 0; k < K; k++, packed += W) store(packed, loadLanes(B + k * stride + j, n));
  }
}

/// Packs Bᵀ in the same way. B (N,K), rows `stride` apart → panels [⌈N/W⌉][K][W]
template <class Element>
static void packPanelsTransposed(int K, int N, const float* B, long stride, float* panels) {
  Element* packed = reinterpret_cast<Element*>(panels);
  for (int j = 0; j < N; j += W, packed += static_cast<long>(K) * W) {
    const int n = N - j < W ? N - j : W;
    for (int k0 = 0; k0 < K; k0 += W) {
      const int depth = K - k0 < W ? K - k0 : W;
      vf block[W];
      for (int i = 0; i < W; i++) block[i] = i < n ? loadLanes(B + (j + i) * stride + k0, depth) : vf{};
      transpose(block);
      for (int k = 0; k < depth; k++) store(packed + static_cast<long>(k0 + k) * W, block[k]);
    }
  }
}

// A (M,K), rows `stride` apart → packed [panel of `height` rows][k][row]
static void packRows(int M, int K, const float* A, long stride, int height, float* packed) {
  for (int p = 0; p < M; p += height, packed += static_cast<long>(K) * height)
    for (int first = 0; first < height && p + first < M; first += W) {
      const int room = height - first < W ? height - first : W, rows = M - p - first < room ? M - p - first : room;
      for (int k = 0; k < K; k += W) {
        const int depth = K - k < W ? K - k : W;
        vf block[W];
        for (int r = 0; r < W; r++) block[r] = r < rows ? loadLanes(A + (p + first + r) * stride + k, depth) : vf{};
        transpose(block);
        for (int c = 0; c < depth; c++) storeLanes(packed + static_cast<long>(k + c) * height + first, block[c], room);
      }
    }
}

// Converts n numbers from bf16 to fp32. n is a multiple of W.
INLINE void unpack(long n, const bf16* from, float* to) {
  for (long i = 0; i < n; i += W) store(to + i, load(from + i));
}
// Rounds n floats to the nearest bf16 number, in place.
INLINE void roundAll(long n, float* x) {
  forVectors(n, [&](long i, int lanes) { storeLanes(x + i, rounded(loadLanes(x + i, lanes)), lanes); });
}

// A (M,K), panels of packedRows ≥ K rows and N columns → C (M,N) = A·B + addend + bias. See Kernels::product.
template <class Element>
static void product(int M, int N, int K, const float* A, long strideA, const float* panels, int packedRows, float* C,
                    long strideC, engine::Epilogue e) {
  constexpr bool roundsToBf16 = sizeof(Element) == 2;
  alignas(64) float packedA[roundsToBf16 ? MC * KC : 1];
  alignas(64) float unpacked[roundsToBf16 ? KC * kTileVectors * W : 1];
  const Element* packedB = reinterpret_cast<const Element*>(panels);
  // Up to nine rows fit one tile of three vectors, but need two tiles of four vectors.
  const int vectors = kTileVectors == 4 && M > kTileRows[4] && M <= kTileRows[3] ? 3 : kTileVectors;
  // Panels that are used only once need not stay in a cache.
  const int max = !roundsToBf16 && M <= kTileRows[vectors] ? K : M < kSmallM ? KCSmallM : KC;
  forEvenParts(M, MC, [&](int i, int rows) {
    // The smaller of A and C stays in the L2 cache while the other passes.
    const bool loopKOutermost = roundsToBf16 || (K > N && static_cast<long>(rows) * K > kL2Floats);
    const auto group = [&](int k, int depth, int j, int n, int count) {
      TileArgs b;
      b.K = depth;
      b.C = C + i * strideC + j;
      b.strideC = strideC;
      // The first part of K adds to the addend, and later parts add to C.
      b.addend = k > 0 ? b.C : e.addend ? e.addend + i * e.addendStride + j : nullptr;
      b.addendStride = k > 0 ? strideC : e.addendStride;
      b.bias = k > 0 || !e.bias ? nullptr : e.bias + j;
      b.n = n;
      b.strideB = W;
      const Element* from = packedB + static_cast<long>(j) * packedRows + static_cast<long>(k) * W;
      if constexpr (roundsToBf16) {
        for (int v = 0; v < count; v++)
          unpack(static_cast<long>(depth) * W, from + static_cast<long>(v) * W * packedRows, unpacked + v * depth * W);
        b.A = packedA;
        b.strideA = PA;
        b.B = b.prefetchNext = unpacked;
        b.prefetchStride = 0;
        b.nextVector = depth * W;
        macroKernelByColumns(rows, count, b, true, static_cast<long>(depth) * PA);
      } else {
        b.A = A + i * strideA + k;
        b.strideA = strideA;
        b.B = from;
        b.nextVector = static_cast<long>(W) * packedRows;
        // The data needed next: further rows of these panels, or the next panels.
        const float* next = nullptr;
        if (!loopKOutermost && k + depth < K)
          next = from + depth * W;
        else if (j + count * W < N)
          next = from + b.nextVector * count - (loopKOutermost ? 0 : static_cast<long>(k) * W);
        macroKernelByRows(rows, count, b, next);
      }
    };
    const auto alongK = [&](auto f) { forEvenParts(K, max, f); };
    const auto alongN = [&](auto f) { forPanelGroups(N, vectors, f); };
    if (loopKOutermost)
      alongK([&](int k, int depth) {
        if (roundsToBf16) {
          packRows(rows, depth, A + i * strideA + k, strideA, PA, packedA);
          roundAll(static_cast<long>((rows + PA - 1) / PA * PA) * depth, packedA);
        }
        alongN([&](int j, int n, int count) { group(k, depth, j, n, count); });
      });
    else
      alongN([&](int j, int n, int count) { alongK([&](int k, int depth) { group(k, depth, j, n, count); }); });
  });
}

}  // namespace
