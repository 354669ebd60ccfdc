// Matrix products. B is packed into panels of NR columns, [panel][k][NR], so that the inner loop reads it in a line; A is
// read where it lies, one broadcast an element; a tile of MR × NR of C lives in registers.
#pragma once
#include "../kernels.hpp"
#include "simd.hpp"

namespace {

// 28 + 2 + 1 of AVX-512's 32 registers, 12 + 2 + 1 of the 16 that the others have
#if defined(__AVX512F__)
constexpr int MR = 14;
#else
constexpr int MR = 6;
#endif
constexpr int NR = 2 * W;
// floats that the caches move at a time
constexpr int kLine = 16;
// rows of B taken at a time: a panel of them stays in the first-level cache
constexpr int KC = 256;
// rows of A taken at a time: they stay in the second-level cache while the panels pass
constexpr int MC = 12 * MR;
// columns of B, and tiles of rows, from which on packing A pays: it need not where it is used a few times only
constexpr int kPackedColumns = 512, kPackedTiles = 2;

template <class Number>
static void packPanels(int K, int N, const float* B, long stride, float* panels) {
  Number* packed = reinterpret_cast<Number*>(panels);
  for (int j = 0; j < N; j += NR) {
    const int n = N - j < NR ? N - j : NR;
    for (int k = 0; k < K; k++, packed += NR) {
      const float* row = B + k * stride + j;
      if (n == NR) {
        store(packed, load(row));
        store(packed + W, load(row + W));
      } else {
        const int low = n < W ? n : W;
        store(packed, loadPart(row, low));
        store(packed + W, loadPart(row + low, n - low));
      }
    }
  }
}

template <class Number>
static void packPanelsTransposed(int K, int N, const float* B, long stride, float* panels) {
  Number* packed = reinterpret_cast<Number*>(panels);
  for (int j = 0; j < N; j += NR, packed += static_cast<long>(K) * NR) {
    const int n = N - j < NR ? N - j : NR;
    for (int half = 0; half < NR; half += W)
      for (int k0 = 0; k0 < K; k0 += W) {
        const int depth = K - k0 < W ? K - k0 : W;
        vf block[W];
        for (int i = 0; i < W; i++)
          block[i] = half + i < n ? loadLanes(B + (j + half + i) * stride + k0, depth) : vf{};
        transpose(block);
        for (int k = 0; k < depth; k++) store(packed + static_cast<long>(k0 + k) * NR + half, block[k]);
      }
  }
}

// whole loops over the registers of a tile: one that stays a loop sends them through memory
#define UNROLL _Pragma("GCC unroll 16")

// Where a tile's rows of A are: by rows, `stride` apart; by columns, `stride` from one k to the next; or packed like that, with
// no gaps.
enum Layout { byRows, byColumns, packedColumns };

// A number in all lanes, in a register: multiply-adds that broadcast from memory themselves run at half the speed here.
INLINE vf broadcast(const float* p) {
  vf x = splat(*p);
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#endif
  return x;
}

// m × n of C from K steps; m rows of A, NV vectors of B. n ≤ NV · W.
template <int m, int NV, Layout layout>
static void tile(long K, const float* __restrict A, long stride, const float* __restrict B, long strideB, float* C,
                 long strideC, const float* addend, long addendStride, const float* bias, const float* ahead, int n) {
  if (addend)
    for (int i = 0; i < m; i++)
      for (int v = 0; v < NV * W; v += kLine) __builtin_prefetch(addend + i * addendStride + v);
  vf sum[m][NV] = {};
  // A pointer for each three rows: with one for all, or one for each, the compiler runs out of registers.
  const float *row0 = A, *row3 = A + 3 * stride, *row6 = A + 6 * stride, *row9 = A + 9 * stride, *row12 = A + 12 * stride;
  for (long k = 0; k < K; k++) {
    vf b[NV];
    for (int v = 0; v < NV; v++) b[v] = load(B + v * W);
    if (layout == byRows) {
      if (m > 3) asm("" : "+r"(row3));
      if (m > 6) asm("" : "+r"(row6));
      if (m > 9) asm("" : "+r"(row9));
      if (m > 12) asm("" : "+r"(row12));
      const float* const rows[] = {row0, row3, row6, row9, row12};
      for (int i = 0; i < m; i++) {
        const vf a = broadcast(rows[i / 3] + (i % 3) * stride);
        for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      row0++, row3++, row6++, row9++, row12++;
    } else {
      for (int i = 0; i < m; i++) {
        const vf a = broadcast(A + i);
        for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      A += layout == packedColumns ? m : stride;
    }
    for (int v = 0; v < NV * W; v += kLine) __builtin_prefetch(ahead + v, 0, 2);
    ahead += strideB;
    B += strideB;
  }
  if (n == NV * W) {
    if (bias)
      UNROLL for (int v = 0; v < NV; v++) {
        const vf offset = load(bias + v * W);
        UNROLL for (int i = 0; i < m; i++) sum[i][v] += offset;
      }
    if (addend)
      UNROLL for (int i = 0; i < m; i++)
        UNROLL for (int v = 0; v < NV; v++) sum[i][v] += load(addend + i * addendStride + v * W);
    UNROLL for (int i = 0; i < m; i++)
      UNROLL for (int v = 0; v < NV; v++) store(C + i * strideC + v * W, sum[i][v]);
    return;
  }
  // the right edge: the last vector is a part of one
  const int last = n - (NV - 1) * W;
  UNROLL for (int v = 0; v < NV; v++) {
    const int lanes = v + 1 < NV ? W : last;
    const vf offset = bias ? loadLanes(bias + v * W, lanes) : vf{};
    UNROLL for (int i = 0; i < m; i++) {
      vf x = sum[i][v] + offset;
      if (addend) x += loadLanes(addend + i * addendStride + v * W, lanes);
      storeLanes(C + i * strideC + v * W, x, lanes);
    }
  }
}

typedef void Tile(long, const float*, long, const float*, long, float*, long, const float*, long, const float*,
                  const float*, int);

template <int NV, Layout layout>
INLINE Tile* tileOf(int m) {
  static constexpr Tile* table[] = {
      nullptr,
      tile<1, NV, layout>,
      tile<2, NV, layout>,
      tile<3, NV, layout>,
      tile<4, NV, layout>,
      tile<5, NV, layout>,
      tile<6, NV, layout>,
#if defined(__AVX512F__)
      tile<7, NV, layout>,
      tile<8, NV, layout>,
      tile<9, NV, layout>,
      tile<10, NV, layout>,
      tile<11, NV, layout>,
      tile<12, NV, layout>,
      tile<13, NV, layout>,
      tile<14, NV, layout>,
#endif
  };
  return table[m];
}

// M rows in tiles as even as they can be: f(first row, rows)
template <class F>
INLINE void forTiles(int M, F f) {
  const int tiles = (M + MR - 1) / MR;
  for (int t = 0, i = 0; t < tiles; t++) {
    const int m = (M - i + tiles - t - 1) / (tiles - t);
    f(i, m);
    i += m;
  }
}

// one block of K, one panel of B: all rows of C
template <Layout layout>
INLINE void panelProduct(int M, int n, int K, const float* A, long stride, const float* B, long strideB, float* C,
                         long strideC, const float* addend, long addendStride, const float* bias,
                         const float* ahead) {
  forTiles(M, [&](int i, int m) {
    Tile* run = n > W ? tileOf<2, layout>(m) : tileOf<1, layout>(m);
    const float* rows = A + i * (layout == byRows ? stride : layout == byColumns ? 1 : K);
    run(K, rows, stride, B, strideB, C + i * strideC, strideC, addend ? addend + i * addendStride : nullptr,
        addendStride, bias, i + m < M ? B : ahead, n);
  });
}

// rows of A (M × K) as packed tiles, [tile][k][m]
static void packRows(int M, int K, const float* A, long stride, float* packed) {
  forTiles(M, [&](int i, int m) {
    float* to = packed + static_cast<long>(i) * K;
    for (int first = 0; first < m; first += W) {
      const int rows = m - first < W ? m - first : W;
      for (int k = 0; k < K; k += W) {
        const int depth = K - k < W ? K - k : W;
        vf block[W];
        for (int r = 0; r < W; r++) block[r] = r < rows ? loadLanes(A + (i + first + r) * stride + k, depth) : vf{};
        transpose(block);
        for (int c = 0; c < depth; c++) storeLanes(to + static_cast<long>(k + c) * m + first, block[c], rows);
      }
    }
  });
}

// a panel of bf16 as floats
INLINE void unpack(long n, const bf16* from, float* to) {
  for (long i = 0; i < n; i += W) store(to + i, load(from + i));
}
// to the nearest bf16, in place
INLINE void roundAll(long n, float* x) {
  forVectors(n, [&](long i, int lanes) { storeLanes(x + i, rounded(loadLanes(x + i, lanes)), lanes); });
}

// With panels of bf16, A is rounded as it is packed, and a panel unpacked once for each block of A: the tiles are the same.
template <class Number>
static void product(int M, int N, int K, const float* A, long strideA, const float* panels, int packedRows, float* C,
                    long strideC, engine::Epilogue e) {
  constexpr bool rounds = sizeof(Number) == 2;
  alignas(64) float packedA[MC * KC];
  alignas(64) float unpacked[rounds ? KC * NR : 1];
  const Number* packedB = reinterpret_cast<const Number*>(panels);
  const bool pack = rounds || (N >= kPackedColumns && M >= kPackedTiles * MR);
  for (int i = 0; i < M; i += MC) {
    const int rows = M - i < MC ? M - i : MC;
    float* Ci = C + i * strideC;
    for (int k = 0; k < K; k += KC) {
      const int depth = K - k < KC ? K - k : KC;
      // what the first block of K is added to, and all others
      const float* addend = k > 0 ? Ci : e.addend ? e.addend + i * e.addendStride : nullptr;
      const long addendStride = k > 0 ? strideC : e.addendStride;
      const float* bias = k > 0 ? nullptr : e.bias;
      const float* Ai = A + i * strideA + k;
      if (pack) packRows(rows, depth, Ai, strideA, packedA);
      if (rounds) roundAll(static_cast<long>(rows) * depth, packedA);
      for (int j = 0; j < N; j += NR) {
        const int n = N - j < NR ? N - j : NR;
        const Number* from = packedB + static_cast<long>(j) * packedRows + static_cast<long>(k) * NR;
        const float *panel, *ahead;
        if constexpr (rounds) {
          unpack(static_cast<long>(depth) * NR, from, unpacked);
          panel = ahead = unpacked;
        } else {
          panel = from;
          ahead = j + NR < N ? panel + static_cast<long>(packedRows) * NR : panel;
        }
        const float* addendj = addend ? addend + j : nullptr;
        const float* biasj = bias ? bias + j : nullptr;
        if (pack)
          panelProduct<packedColumns>(rows, n, depth, packedA, 0, panel, NR, Ci + j, strideC, addendj, addendStride,
                                      biasj, ahead);
        else
          panelProduct<byRows>(rows, n, depth, Ai, strideA, panel, NR, Ci + j, strideC, addendj, addendStride, biasj,
                               ahead);
      }
    }
  }
}

// a panel of B and the lines of A that a tile reads by columns have to share the first-level cache
constexpr int KG = engine::kGradientRows;
// rows of C taken at a time: the packed part of A stays in the second-level cache
constexpr int MG = engine::kGradientColumns;
// up to so many tiles of C, a whole panel of B is read where it lies: packing it would not pay
constexpr int kDirectTiles = 5;

// columns of A (K × M) as packed tiles, [tile][k][m]; a few rows of A at a time, since each may lie in a page of its own
static void packColumns(int M, int K, const float* A, long stride, float* packed) {
  constexpr int kRows = 16;
  for (int start = 0; start < K; start += kRows) {
    const int end = K - start < kRows ? K : start + kRows;
    forTiles(M, [&](int i, int m) {
      const float* from = A + start * stride + i;
      float* to = packed + static_cast<long>(i) * K + start * m;
      int k = start;
      // whole vectors: what one writes too much the next k overwrites; so not at the last k, after which the next tile begins
      if (i + W <= M && m <= W)
        for (; k + 1 < end; k++, from += stride, to += m) store(to, load(from));
      for (; k < end; k++, from += stride, to += m)
        for (int c = 0; c < m; c++) to[c] = from[c];
    });
  }
}

template <class Number>
static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB, float* C,
                               long strideC, float* scratch) {
  constexpr bool rounds = sizeof(Number) == 2;
  float* packedA = scratch + KG * NR;
  const bool pack = rounds || N > NR;
  for (int k = 0; k < K; k += KG) {
    const int depth = K - k < KG ? K - k : KG;
    for (int i = 0; i < M; i += MG) {
      const int rows = M - i < MG ? M - i : MG;
      const float* Ai = A + k * strideA + i;
      float* Ci = C + i * strideC;
      if (pack) packColumns(rows, depth, Ai, strideA, packedA);
      if (rounds) roundAll(static_cast<long>(rows) * depth, packedA);
      for (int j = 0; j < N; j += NR) {
        const int n = N - j < NR ? N - j : NR;
        const float* panel = B + k * strideB + j;
        const bool direct = !rounds && n == NR && rows <= kDirectTiles * MR;
        if (!direct) packPanels<float>(depth, n, panel, strideB, scratch);
        if (rounds) roundAll(static_cast<long>(depth) * NR, scratch);
        const float* from = direct ? panel : scratch;
        const long strideFrom = direct ? strideB : NR;
        if (pack)
          panelProduct<packedColumns>(rows, n, depth, packedA, 0, from, strideFrom, Ci + j, strideC, Ci + j, strideC,
                                      nullptr, from);
        else
          panelProduct<byColumns>(rows, n, depth, Ai, strideA, from, strideFrom, Ci + j, strideC, Ci + j, strideC,
                                  nullptr, from);
      }
    }
  }
}

}  // namespace
