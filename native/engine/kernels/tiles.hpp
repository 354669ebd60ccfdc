// Tiles: blocks of a product whose sums lie in registers, and the loops over them that products and gradients share.
// What limits a tile is how many numbers it has to load for its multiply-adds, so it is as square as the registers
// allow: with AVX-512, 6 rows × 4 vectors take 10 loads for 24 multiply-adds.
#pragma once
#include "kernels.hpp"
#include "simd.hpp"

namespace {

// vectors of B that a tile takes, at most, and the rows of A that fit beside so many: sums, vectors of B, and one
// number of A are 29 to 31 of AVX-512's 32 registers, and 15 of the 16 that the others have
#if defined(__AVX512F__)
constexpr int kVectors = 4;
constexpr int kRows[] = {0, 14, 14, 9, 6};
#else
constexpr int kVectors = 2;
constexpr int kRows[] = {0, 6, 6};
#endif
constexpr int kMostRows = kRows[1];
// floats that the caches move at a time
constexpr int kLine = 16;
// rows (or columns) of A that are packed side by side: whole tiles of each height
constexpr int PA = 24;

// Where a tile's rows of A are: by rows, `stride` apart; or by columns, `stride` from one k to the next.
enum Layout { byRows, byColumns };

// A number in all lanes, in a register: multiply-adds that broadcast from memory themselves run at half the speed here.
INLINE vf broadcast(const float* p) {
  vf x = splat(*p);
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#endif
  return x;
}

/// m × n of C = A·B + addend + bias
struct Block {
  long K;
  const float* A;
  long strideA;
  /// B's row k has its vector v at B + k · strideB + v · nextVector
  const float* B;
  long strideB, nextVector;
  float* C;
  long strideC;
  const float* addend;
  long addendStride;
  const float* bias;
  /// columns: at most those of the vectors
  int n;
  /// what comes after this block: asked for from further caches, a step for each k
  const float* ahead;
  long aheadStride;
  /// where the lines of `addend`, or else C, are asked for: before the block is begun, and, for the block below, row by
  /// row while it is computed. All at once, lines of far memory keep those of near caches waiting.
  bool askNow = true, askBelow = false;
};

template <int m, int NV, Layout layout>
static void tile(const Block& t) {
  const float* const asked = t.addend ? t.addend : t.C;
  const long askedStride = t.addend ? t.addendStride : t.strideC;
  const auto askForRow = [&](int i) {
    for (int v = 0; v < NV * W; v += kLine) __builtin_prefetch(asked + i * askedStride + v);
  };
  if (t.askNow)
    for (int i = 0; i < m; i++) askForRow(i);
  vf sum[m][NV] = {};
  const long strideA = t.strideA, strideB = t.strideB, nextVector = t.nextVector, aheadStride = t.aheadStride;
  const float *A = t.A, *B = t.B, *ahead = t.ahead;
  // A pointer for each three rows: with one for all, or one for each, the compiler runs out of registers.
  const float *row3 = A + 3 * strideA, *row6 = A + 6 * strideA, *row9 = A + 9 * strideA, *row12 = A + 12 * strideA;
  const auto step = [&]() __attribute__((always_inline)) {
    vf b[NV];
    UNROLL for (int v = 0; v < NV; v++) b[v] = load(B + v * nextVector);
    if (layout == byRows) {
      if (m > 3) asm("" : "+r"(row3));
      if (m > 6) asm("" : "+r"(row6));
      if (m > 9) asm("" : "+r"(row9));
      if (m > 12) asm("" : "+r"(row12));
      const float* const rows[] = {A, row3, row6, row9, row12};
      UNROLL for (int i = 0; i < m; i++) {
        const vf a = broadcast(rows[i / 3] + (i % 3) * strideA);
        UNROLL for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      A++, row3++, row6++, row9++, row12++;
    } else {
      UNROLL for (int i = 0; i < m; i++) {
        const vf a = broadcast(A + i);
        UNROLL for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      A += strideA;
    }
    __builtin_prefetch(ahead, 0, 2);
    ahead += aheadStride;
    B += strideB;
  };
  if (t.askBelow) {
    const long part = (t.K + m - 1) / m;
    int row = m;
    for (long k = 0; k < t.K; k += part, row++) {
      askForRow(row);
      for (long n = t.K - k < part ? t.K - k : part; n > 0; n--) step();
    }
  } else {
    for (long k = 0; k < t.K; k++) step();
  }
  float* C = t.C;
  const long strideC = t.strideC;
  if (t.n == NV * W) {
    if (t.bias) UNROLL for (int v = 0; v < NV; v++) {
        const vf offset = load(t.bias + v * W);
        UNROLL for (int i = 0; i < m; i++) sum[i][v] += offset;
      }
    if (t.addend)
      UNROLL for (int i = 0; i < m; i++) UNROLL for (int v = 0; v < NV; v++) sum[i][v] +=
          load(t.addend + i * t.addendStride + v * W);
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int v = 0; v < NV; v++) store(C + i * strideC + v * W, sum[i][v]);
    return;
  }
  // the right edge: the last vector is a part of one
  const int last = t.n - (NV - 1) * W;
  UNROLL for (int v = 0; v < NV; v++) {
    const int lanes = v + 1 < NV ? W : last;
    const vf offset = t.bias ? loadLanes(t.bias + v * W, lanes) : vf{};
    UNROLL for (int i = 0; i < m; i++) {
      vf x = sum[i][v] + offset;
      if (t.addend) x += loadLanes(t.addend + i * t.addendStride + v * W, lanes);
      storeLanes(C + i * strideC + v * W, x, lanes);
    }
  }
}

typedef void Tile(const Block&);

template <Layout layout>
INLINE Tile* tileOf(int m, int vectors) {
#define ROWS_TO_6(NV)                                                                                               \
  nullptr, tile<1, NV, layout>, tile<2, NV, layout>, tile<3, NV, layout>, tile<4, NV, layout>, tile<5, NV, layout>, \
      tile<6, NV, layout>
#if defined(__AVX512F__)
#define ROWS_TO_9(NV) ROWS_TO_6(NV), tile<7, NV, layout>, tile<8, NV, layout>, tile<9, NV, layout>
#define ROWS_TO_14(NV)                                                                                   \
  ROWS_TO_9(NV), tile<10, NV, layout>, tile<11, NV, layout>, tile<12, NV, layout>, tile<13, NV, layout>, \
      tile<14, NV, layout>
  static constexpr Tile* table[][kMostRows + 1] = {
      {}, {ROWS_TO_14(1)}, {ROWS_TO_14(2)}, {ROWS_TO_9(3)}, {ROWS_TO_6(4)}};
#else
  static constexpr Tile* table[][kMostRows + 1] = {{}, {ROWS_TO_6(1)}, {ROWS_TO_6(2)}};
#endif
  return table[vectors][m];
}

// `count` in parts as even as they can be, of at most `most`: f(first, size)
template <class F>
INLINE void forParts(int count, int most, F f) {
  const int parts = (count + most - 1) / most;
  for (int t = 0, i = 0; t < parts; t++) {
    const int size = (count - i + parts - t - 1) / (parts - t);
    f(i, size);
    i += size;
  }
}

// the panels of N columns in groups that a tile takes at once: f(first column, columns, vectors)
template <class F>
INLINE void forGroups(int N, int vectors, F f) {
  forParts((N + W - 1) / W, vectors, [&](int first, int count) {
    const int j = first * W;
    f(j, N - j < count * W ? N - j : count * W, count);
  });
}

// steps of K from which on there is time to ask for C row by row
constexpr int kLongSteps = 96;

// All of M rows for one group of panels, `next` (the vectors of a group to come, laid out as B's) asked for meanwhile.
// `b` has what the rows share, and A and C of the first.
static void groupByRows(int M, int vectors, Block& b, const float* next) {
  const float *A = b.A, *addend = b.addend;
  float* C = b.C;
  const bool asksNow = b.askNow;
  b.askBelow = asksNow && b.K >= kLongSteps;
  // a part of a panel for each tile, so that the panels last for all tiles where there are enough
  const int tiles = (M + kRows[vectors] - 1) / kRows[vectors];
  int parts = 8;
  while (parts > 1 && tiles < parts * vectors) parts /= 2;
  int t = 0;
  forParts(M, kRows[vectors], [&](int i, int m) {
    b.A = A + i * b.strideA;
    b.C = C + i * b.strideC;
    b.addend = addend ? addend + i * b.addendStride : nullptr;
    const bool asks = next && t < parts * vectors;
    b.ahead = asks ? next + t / parts * b.nextVector + t % parts * (b.K * W / parts) : b.B;
    b.aheadStride = asks ? W / parts : 0;
    b.askNow = asksNow && (!b.askBelow || t == 0);
    tileOf<byRows>(m, vectors)(b);
    t++;
  });
}

// The same for columns of A, which may be packed, in panels of PA that are panelA apart; b.ahead and b.aheadStride: the
// first vector of rows of B to come.
static void groupByColumns(int M, int vectors, Block& b, bool packedA, long panelA) {
  const float *A = b.A, *ahead = b.ahead, *addend = b.addend;
  float* C = b.C;
  const bool asksNow = b.askNow;
  b.askBelow = asksNow && b.K >= kLongSteps;
  int t = 0;
  for (int p = 0; p < M; p += packedA ? PA : M)
    forParts(packedA && M - p > PA ? PA : M - p, kRows[vectors], [&](int first, int m) {
      const int i = p + first;
      b.A = packedA ? A + (p / PA) * panelA + first : A + i;
      b.C = C + i * b.strideC;
      b.addend = addend ? addend + i * b.addendStride : nullptr;
      b.ahead = t < vectors ? ahead + t * W : b.B;
      b.askNow = asksNow && (!b.askBelow || t == 0);
      tileOf<byColumns>(m, vectors)(b);
      t++;
    });
}

}  // namespace
