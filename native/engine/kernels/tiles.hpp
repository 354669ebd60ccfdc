// Register tiles of a matrix product, and the loops over them that products (gemm.hpp), gradients (gradients.hpp) and
// attention (attention.hpp) share. The design is that of GotoBLAS and BLIS (Goto and van de Geijn 2008; Van Zee and van
// de Geijn 2015): a micro-kernel keeps an m × NV·W tile of C in registers, and a macro-kernel runs it over a panel.
//
// Loads limit the speed of a tile. The squarer a tile is, the fewer numbers it loads for each multiply-add, so a tile
// is as square as the registers allow. With AVX-512, 6 rows × 4 vectors take 10 loads for 24 multiply-adds.
#pragma once
#include "kernels.hpp"
#include "simd.hpp"

namespace {

// kTileVectors: largest number of vectors of B in a tile. kTileRows[NV]: largest number of rows of A in a tile of NV
// vectors. Sums, vectors of B and one number of A take 29 to 31 of the 32 registers of AVX-512, and 15 of the 16 of the
// other instruction sets.
#if defined(__AVX512F__)
constexpr int kTileVectors = 4;
constexpr int kTileRows[] = {0, 14, 14, 9, 6};
#else
constexpr int kTileVectors = 2;
constexpr int kTileRows[] = {0, 6, 6};
#endif
constexpr int kMaxTileRows = kTileRows[1];
// Floats of a cache line.
constexpr int kCacheLineFloats = 16;
// Rows (or columns) of A in a packed panel of A. Tiles of v vectors divide it into ⌈PA / kTileRows[v]⌉ equal parts.
constexpr int PA = 24;

// How A lies in memory. byRows: A(i, k) = A[i · strideA + k]. byColumns: A(i, k) = A[k · strideA + i].
enum Layout { byRows, byColumns };

// Broadcasts a number to all lanes of a register. A multiply-add that broadcasts its operand from memory runs at half
// the speed here.
INLINE vf broadcast(const float* p) {
  vf x = splat(*p);
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#endif
  return x;
}

/// Arguments of the micro-kernel: an m × n tile of C = A·B + addend + bias. Strides are in floats. The addend may be C.
struct TileArgs {
  long K;
  const float* A;
  long strideA;
  /// Vector v of row k of B is at B + k · strideB + v · nextVector.
  const float* B;
  long strideB, nextVector;
  float* C;
  long strideC;
  const float* addend;
  long addendStride;
  const float* bias;
  /// Columns of the tile, at most NV · W.
  int n;
  /// Data that the following tiles need: each step of k prefetches one line to the L2 cache, at prefetchNext + k ·
  /// prefetchStride.
  const float* prefetchNext;
  long prefetchStride;
  /// When to prefetch the lines of `addend`, or of C if there is none. prefetchNow: this tile's lines, before it
  /// starts. prefetchRows: the lines of the tile below, one row at a time during the steps of k. Prefetched all at
  /// once, lines from far memory would delay those from near caches.
  bool prefetchNow = true, prefetchRows = false;
};

/// Computes one tile: A (m,K) in `layout`, B (K,NV·W), addend (m,n) or null, bias (n) or null → C (m,n), n ≤ NV·W.
///
/// Each number of C is one chain of multiply-adds in the order of k, which starts from addend + bias. So the bits do
/// not depend on how callers divide K into parts, as each part continues the chain. They do it differently on AVX2 and
/// AVX-512.
template <int m, int NV, Layout layout>
static void microKernel(const TileArgs& t) {
  const float* const target = t.addend ? t.addend : t.C;
  const long targetStride = t.addend ? t.addendStride : t.strideC;
  const auto prefetchRow = [&](int i) {
    for (int v = 0; v < NV * W; v += kCacheLineFloats) __builtin_prefetch(target + i * targetStride + v);
  };
  if (t.prefetchNow)
    for (int i = 0; i < m; i++) prefetchRow(i);
  vf sum[m][NV];
  // The last vector of a row is partial at the right edge of C.
  const bool whole = t.n == NV * W;
  if (!t.addend && !t.bias) {
    UNROLL_FOR (int i = 0; i < m; i++)
      UNROLL_FOR (int v = 0; v < NV; v++) sum[i][v] = vf{};
  } else {
    UNROLL_FOR (int v = 0; v < NV; v++) {
      const int lanes = whole || v + 1 < NV ? W : t.n - v * W;
      const vf offset = t.bias ? loadLanes(t.bias + v * W, lanes) : vf{};
      UNROLL_FOR (int i = 0; i < m; i++)
        sum[i][v] = t.addend ? offset + loadLanes(t.addend + i * t.addendStride + v * W, lanes) : offset;
    }
  }
  const long strideA = t.strideA, strideB = t.strideB, nextVector = t.nextVector, prefetchStride = t.prefetchStride;
  const float *A = t.A, *B = t.B, *prefetchNext = t.prefetchNext;
  // Three rows share one pointer. With one pointer for all rows, or one for each row, the compiler runs out of
  // registers.
  const float *row3 = A + 3 * strideA, *row6 = A + 6 * strideA, *row9 = A + 9 * strideA, *row12 = A + 12 * strideA;
  const auto step = [&]() __attribute__((always_inline)) {
    vf b[NV];
    UNROLL_FOR (int v = 0; v < NV; v++) b[v] = load(B + v * nextVector);
    if (layout == byRows) {
      if (m > 3) asm("" : "+r"(row3));
      if (m > 6) asm("" : "+r"(row6));
      if (m > 9) asm("" : "+r"(row9));
      if (m > 12) asm("" : "+r"(row12));
      const float* const rows[] = {A, row3, row6, row9, row12};
      UNROLL_FOR (int i = 0; i < m; i++) {
        const vf a = broadcast(rows[i / 3] + (i % 3) * strideA);
        UNROLL_FOR (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      A++, row3++, row6++, row9++, row12++;
    } else {
      UNROLL_FOR (int i = 0; i < m; i++) {
        const vf a = broadcast(A + i);
        UNROLL_FOR (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      A += strideA;
    }
    __builtin_prefetch(prefetchNext, 0, 2);
    prefetchNext += prefetchStride;
    B += strideB;
  };
  if (t.prefetchRows) {
    const long part = (t.K + m - 1) / m;
    int row = m;
    for (long k = 0; k < t.K; k += part, row++) {
      prefetchRow(row);
      for (long n = t.K - k < part ? t.K - k : part; n > 0; n--) step();
    }
  } else {
    for (long k = 0; k < t.K; k++) step();
  }
  UNROLL_FOR (int v = 0; v < NV; v++) {
    const int lanes = whole || v + 1 < NV ? W : t.n - v * W;
    UNROLL_FOR (int i = 0; i < m; i++) storeLanes(t.C + i * t.strideC + v * W, sum[i][v], lanes);
  }
}

// The type of microKernel<m, NV, layout>.
typedef void MicroKernel(const TileArgs&);

/// Returns the micro-kernel for m rows and `vectors` vectors.
template <Layout layout>
INLINE MicroKernel* microKernelFor(int m, int vectors) {
#define ROWS_TO_6(NV)                                                                          \
  nullptr, microKernel<1, NV, layout>, microKernel<2, NV, layout>, microKernel<3, NV, layout>, \
      microKernel<4, NV, layout>, microKernel<5, NV, layout>, microKernel<6, NV, layout>
#if defined(__AVX512F__)
#define ROWS_TO_9(NV) ROWS_TO_6(NV), microKernel<7, NV, layout>, microKernel<8, NV, layout>, microKernel<9, NV, layout>
#define ROWS_TO_14(NV)                                                                                  \
  ROWS_TO_9(NV), microKernel<10, NV, layout>, microKernel<11, NV, layout>, microKernel<12, NV, layout>, \
      microKernel<13, NV, layout>, microKernel<14, NV, layout>
  static constexpr MicroKernel* table[][kMaxTileRows + 1] = {
      {}, {ROWS_TO_14(1)}, {ROWS_TO_14(2)}, {ROWS_TO_9(3)}, {ROWS_TO_6(4)}};
#else
  static constexpr MicroKernel* table[][kMaxTileRows + 1] = {{}, {ROWS_TO_6(1)}, {ROWS_TO_6(2)}};
#endif
  return table[vectors][m];
}

// Divides `count` into parts of at most `max`, as even as possible, and calls f(first, size) for each.
template <class F>
INLINE void forEvenParts(int count, int max, F f) {
  const int parts = (count + max - 1) / max;
  for (int t = 0, i = 0; t < parts; t++) {
    const int size = (count - i + parts - t - 1) / (parts - t);
    f(i, size);
    i += size;
  }
}

// Divides the panels of N columns into groups for one tile, and calls f(first column, columns, vectors) for each.
template <class F>
INLINE void forPanelGroups(int N, int vectors, F f) {
  forEvenParts((N + W - 1) / W, vectors, [&](int first, int count) {
    const int j = first * W;
    f(j, N - j < count * W ? N - j : count * W, count);
  });
}

// Smallest K that has enough steps to prefetch C row by row.
constexpr int kMinPrefetchRowsK = 96;

// Macro-kernel with A by rows. Computes all M rows of C for one group of panels. `b` holds the arguments that all rows
// share, and A, C and addend of the first row. Meanwhile it prefetches `next`, the vectors of a following group in the
// layout of B (null: none).
static void macroKernelByRows(int M, int vectors, TileArgs& b, const float* next) {
  const float *A = b.A, *addend = b.addend;
  float* C = b.C;
  const bool prefetchNow = b.prefetchNow;
  b.prefetchRows = prefetchNow && b.K >= kMinPrefetchRowsK;
  // Each tile prefetches a part of a panel, so that all tiles have work if there are enough panels.
  const int tiles = (M + kTileRows[vectors] - 1) / kTileRows[vectors];
  int parts = 8;
  while (parts > 1 && tiles < parts * vectors) parts /= 2;
  int t = 0;
  forEvenParts(M, kTileRows[vectors], [&](int i, int m) {
    b.A = A + i * b.strideA;
    b.C = C + i * b.strideC;
    b.addend = addend ? addend + i * b.addendStride : nullptr;
    const bool prefetches = next && t < parts * vectors;
    b.prefetchNext = prefetches ? next + t / parts * b.nextVector + t % parts * (b.K * W / parts) : b.B;
    b.prefetchStride = prefetches ? W / parts : 0;
    b.prefetchNow = prefetchNow && (!b.prefetchRows || t == 0);
    microKernelFor<byRows>(m, vectors)(b);
    t++;
  });
}

// Macro-kernel with A by columns. Computes all M rows of C for one group of panels. If packedA, A lies in panels of PA
// rows that are panelA floats apart. b.prefetchNext and b.prefetchStride: first vector of the rows of B that follow.
static void macroKernelByColumns(int M, int vectors, TileArgs& b, bool packedA, long panelA) {
  const float *A = b.A, *prefetchNext = b.prefetchNext, *addend = b.addend;
  float* C = b.C;
  const bool prefetchNow = b.prefetchNow;
  b.prefetchRows = prefetchNow && b.K >= kMinPrefetchRowsK;
  int t = 0;
  for (int p = 0; p < M; p += packedA ? PA : M)
    forEvenParts(packedA && M - p > PA ? PA : M - p, kTileRows[vectors], [&](int first, int m) {
      const int i = p + first;
      b.A = packedA ? A + (p / PA) * panelA + first : A + i;
      b.C = C + i * b.strideC;
      b.addend = addend ? addend + i * b.addendStride : nullptr;
      b.prefetchNext = t < vectors ? prefetchNext + t * W : b.B;
      b.prefetchNow = prefetchNow && (!b.prefetchRows || t == 0);
      microKernelFor<byColumns>(m, vectors)(b);
      t++;
    });
}

}  // namespace
