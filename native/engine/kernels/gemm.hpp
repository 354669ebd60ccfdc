// Matrix products. B is packed into panels of one vector's columns, [panel][k][W]; A is read where it lies, one broadcast an
// element; a tile of C lives in registers. What limits a tile is how many numbers it has to load for its multiply-adds, so it
// is as square as the registers allow: with AVX-512, 6 rows × 4 vectors take 10 loads for 24 multiply-adds.
#pragma once
#include "../kernels.hpp"
#include "simd.hpp"

namespace {

// vectors of B that a tile takes, at most, and the rows of A that fit beside so many: sums, vectors of B, and one number of A
// are 29 to 31 of AVX-512's 32 registers, and 15 of the 16 that the others have
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
// packed matrices are padded to whole pairs of panels
constexpr int NR = 2 * W;
// rows (or columns) of A that are packed side by side: whole tiles of each height
constexpr int PA = 24;
// rows of B taken at a time: those of a tile's vectors stay in the first-level cache
constexpr int KC = 512 / kVectors;
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

// whole loops over the registers of a tile: one that stays a loop sends them through memory
#define UNROLL _Pragma("GCC unroll 16")

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
  /// where `addend` is asked for: before the block is begun, and, for the block below, row by row while it is computed. All at
  /// once, lines of far memory keep those of near caches waiting.
  bool askNow = true, askBelow = false;
};

template <int m, int NV, Layout layout>
static void tile(const Block& t) {
  const auto askForRow = [&](int i) {
    for (int v = 0; v < NV * W; v += kLine) __builtin_prefetch(t.addend + i * t.addendStride + v);
  };
  if (t.addend && t.askNow)
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
  if (layout == byColumns && t.askBelow) {
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
    if (t.bias)
      UNROLL for (int v = 0; v < NV; v++) {
        const vf offset = load(t.bias + v * W);
        UNROLL for (int i = 0; i < m; i++) sum[i][v] += offset;
      }
    if (t.addend)
      UNROLL for (int i = 0; i < m; i++)
        UNROLL for (int v = 0; v < NV; v++) sum[i][v] += load(t.addend + i * t.addendStride + v * W);
    UNROLL for (int i = 0; i < m; i++)
      UNROLL for (int v = 0; v < NV; v++) store(C + i * strideC + v * W, sum[i][v]);
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
#define ROWS_TO_6(NV)                                                                                     \
  nullptr, tile<1, NV, layout>, tile<2, NV, layout>, tile<3, NV, layout>, tile<4, NV, layout>, tile<5, NV, layout>, \
      tile<6, NV, layout>
#if defined(__AVX512F__)
#define ROWS_TO_9(NV) ROWS_TO_6(NV), tile<7, NV, layout>, tile<8, NV, layout>, tile<9, NV, layout>
#define ROWS_TO_14(NV)                                                                                        \
  ROWS_TO_9(NV), tile<10, NV, layout>, tile<11, NV, layout>, tile<12, NV, layout>, tile<13, NV, layout>, \
      tile<14, NV, layout>
  static constexpr Tile* table[][kMostRows + 1] = {{}, {ROWS_TO_14(1)}, {ROWS_TO_14(2)}, {ROWS_TO_9(3)}, {ROWS_TO_6(4)}};
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

// All of M rows for one group of panels, `next` (the vectors of a group to come, laid out as B's) asked for meanwhile. `b` has
// what the rows share, and A and C of the first.
static void groupByRows(int M, int vectors, Block& b, const float* next) {
  const float *A = b.A, *addend = b.addend;
  float* C = b.C;
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
    tileOf<byRows>(m, vectors)(b);
    t++;
  });
}

// The same for columns of A, which may be packed, in panels of PA that are panelA apart; b.ahead and b.aheadStride: the first
// vector of rows of B to come.
static void groupByColumns(int M, int vectors, Block& b, bool packedA, long panelA) {
  const float *A = b.A, *ahead = b.ahead, *addend = b.addend;
  float* C = b.C;
  const bool asks = b.askNow;
  b.askBelow = asks && addend && b.K >= kLongSteps;
  int t = 0;
  for (int p = 0; p < M; p += packedA ? PA : M)
    forParts(packedA && M - p > PA ? PA : M - p, kRows[vectors], [&](int first, int m) {
      const int i = p + first;
      b.A = packedA ? A + (p / PA) * panelA + first : A + i;
      b.C = C + i * b.strideC;
      b.addend = addend ? addend + i * b.addendStride : nullptr;
      b.ahead = t < vectors ? ahead + t * W : b.B;
      b.askNow = asks && (!b.askBelow || t == 0);
      tileOf<byColumns>(m, vectors)(b);
      t++;
    });
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

// With panels of bf16, A is rounded as it is packed, and panels are unpacked once for each block of A: the tiles are the same.
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
  const int most = !rounds && M <= kRows[vectors] ? K : KC;
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

// rows of A and B taken at a time
constexpr int KG = engine::kGradientRows;
// rows of C taken at a time: the packed part of A stays in the second-level cache
constexpr int MG = engine::kGradientColumns;
// up to so many rows of C, B is read where it lies: packing it would not pay
constexpr int kDirectRows = 70;

template <class Number>
static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB, float* C,
                               long strideC, float* scratch) {
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
        forParts(depth, KC, [&](int k1, int part) {
          Block b;
          b.K = part;
          b.B = direct ? Bj + k1 * strideB : scratch + k1 * count * W;
          b.strideB = direct ? strideB : count * W;
          b.nextVector = W;
          b.C = C + i * strideC + j;
          b.strideC = strideC;
          b.addend = b.C;
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
