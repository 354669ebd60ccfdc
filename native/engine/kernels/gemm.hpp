// Products with weights, which are packed into panels of one vector's columns, [panel][k][W]; A is read where it lies,
// one broadcast an element.
#pragma once
#include "tiles.hpp"

namespace {

// packed matrices are padded to whole pairs of panels
constexpr int NR = 2 * W;
// rows of B taken at a time: those of a tile's vectors stay in the first-level cache, and may fill it where they serve
// many rows of A, so that sums are put down less often
constexpr int KC = kVectors == 4 ? 192 : 256, KCFew = kVectors == 4 ? 128 : 256, kManyRows = 64;
// rows of A taken at a time: they stay in the second-level cache while the panels pass
constexpr int MC = 264;
// A (or C) of more numbers than this does not stay there
constexpr long kSecondLevel = 128 << 10;

template <class Number>
static void packPanels(int K, int N, const float* B, long stride, float* panels) {
  Number* packed = reinterpret_cast<Number*>(panels);
  for (int j = 0; j < N; j += W) {
    const int n = N - j < W ? N - j : W;
    for (int k = 0; k < K; k++, packed += W) store(packed, loadLanes(B + k * stride + j, n));
  }
}

template <class Number>
static void packPanelsTransposed(int K, int N, const float* B, long stride, float* panels) {
  Number* packed = reinterpret_cast<Number*>(panels);
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

// rows of A (M × K) packed, [panel of `height` rows][k][row]
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

// a panel of bf16 as floats
INLINE void unpack(long n, const bf16* from, float* to) {
  for (long i = 0; i < n; i += W) store(to + i, load(from + i));
}
// to the nearest bf16, in place
INLINE void roundAll(long n, float* x) {
  forVectors(n, [&](long i, int lanes) { storeLanes(x + i, rounded(loadLanes(x + i, lanes)), lanes); });
}

// With panels of bf16, A is rounded as it is packed, and panels are unpacked once for each block of A: the tiles are
// the same.
template <class Number>
static void product(int M, int N, int K, const float* A, long strideA, const float* panels, int packedRows, float* C,
                    long strideC, engine::Epilogue e) {
  constexpr bool rounds = sizeof(Number) == 2;
  alignas(64) float packedA[rounds ? MC * KC : 1];
  alignas(64) float unpacked[rounds ? KC * kVectors * W : 1];
  const Number* packedB = reinterpret_cast<const Number*>(panels);
  // up to nine rows are one tile of three vectors, and two of four
  const int vectors = kVectors == 4 && M > kRows[4] && M <= kRows[3] ? 3 : kVectors;
  // what is used once need not stay in a cache
  const int most = !rounds && M <= kRows[vectors] ? K : M < kManyRows ? KCFew : KC;
  forParts(M, MC, [&](int i, int rows) {
    // the smaller of A and C stays in the second-level cache while the other passes
    const bool alongColumns = rounds || (K > N && static_cast<long>(rows) * K > kSecondLevel);
    const auto group = [&](int k, int depth, int j, int n, int count) {
      Block b;
      b.K = depth;
      b.C = C + i * strideC + j;
      b.strideC = strideC;
      // what the first block of K is added to, and all others
      b.addend = k > 0 ? b.C : e.addend ? e.addend + i * e.addendStride + j : nullptr;
      b.addendStride = k > 0 ? strideC : e.addendStride;
      b.bias = k > 0 || !e.bias ? nullptr : e.bias + j;
      b.n = n;
      b.strideB = W;
      const Number* from = packedB + static_cast<long>(j) * packedRows + static_cast<long>(k) * W;
      if constexpr (rounds) {
        for (int v = 0; v < count; v++)
          unpack(static_cast<long>(depth) * W, from + static_cast<long>(v) * W * packedRows, unpacked + v * depth * W);
        b.A = packedA;
        b.strideA = PA;
        b.B = b.ahead = unpacked;
        b.aheadStride = 0;
        b.nextVector = depth * W;
        groupByColumns(rows, count, b, true, static_cast<long>(depth) * PA);
      } else {
        b.A = A + i * strideA + k;
        b.strideA = strideA;
        b.B = from;
        b.nextVector = static_cast<long>(W) * packedRows;
        // what comes next: further down these panels, or the next ones
        const float* next = nullptr;
        if (!alongColumns && k + depth < K)
          next = from + depth * W;
        else if (j + count * W < N)
          next = from + b.nextVector * count - (alongColumns ? 0 : static_cast<long>(k) * W);
        groupByRows(rows, count, b, next);
      }
    };
    const auto alongK = [&](auto f) { forParts(K, most, f); };
    const auto alongN = [&](auto f) { forGroups(N, vectors, f); };
    if (alongColumns)
      alongK([&](int k, int depth) {
        if (rounds) {
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
