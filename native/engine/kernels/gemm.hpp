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
// rows of B taken at a time: a panel of them stays in the first-level cache
constexpr int KC = 256;
// rows of A taken at a time: they stay in the second-level cache while the panels pass
constexpr int MC = 12 * MR;

static void packPanels(int K, int N, const float* B, long stride, float* packed) {
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

static void packPanelsTransposed(int K, int N, const float* B, long stride, float* packed) {
  for (int j = 0; j < N; j += NR, packed += static_cast<long>(K) * NR) {
    const int n = N - j < NR ? N - j : NR;
    // blocks of W × W: lines of B are read whole, lines of the panel written whole
    for (int k0 = 0; k0 < K; k0 += W) {
      const int depth = K - k0 < W ? K - k0 : W;
      float block[NR][W];
      for (int i = 0; i < NR; i++)
        store(block[i], i < n ? loadLanes(B + (j + i) * stride + k0, depth) : vf{});
      for (int k = 0; k < depth; k++)
        for (int i = 0; i < NR; i++) packed[static_cast<long>(k0 + k) * NR + i] = block[i][k];
    }
  }
}

// Where a tile's rows of A are: by rows, `stride` apart; by columns, `stride` from one k to the next; or packed like that, with
// no gaps.
enum Layout { byRows, byColumns, packedColumns };

// m × n of C from K steps; m rows of A, NV vectors of B. n ≤ NV · W.
template <int m, int NV, Layout layout>
static void tile(long K, const float* __restrict A, long stride, const float* __restrict B, long strideB, float* C,
                 long strideC, const float* addend, long addendStride, const float* bias, int n) {
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
        const vf a = splat(rows[i / 3][(i % 3) * stride]);
        for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      row0++, row3++, row6++, row9++, row12++;
    } else {
      for (int i = 0; i < m; i++) {
        const vf a = splat(A[i]);
        for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
      }
      A += layout == packedColumns ? m : stride;
    }
    B += strideB;
  }
  if (n == NV * W) {
    for (int v = 0; v < NV; v++) {
      const vf offset = bias ? load(bias + v * W) : vf{};
      for (int i = 0; i < m; i++) sum[i][v] += offset;
    }
    if (addend)
      for (int i = 0; i < m; i++)
        for (int v = 0; v < NV; v++) sum[i][v] += load(addend + i * addendStride + v * W);
    for (int i = 0; i < m; i++)
      for (int v = 0; v < NV; v++) store(C + i * strideC + v * W, sum[i][v]);
    return;
  }
  // the right edge: the last vector is a part of one
  const int last = n - (NV - 1) * W;
#pragma GCC unroll 2
  for (int v = 0; v < NV; v++) {
    const int lanes = v + 1 < NV ? W : last;
    const vf offset = bias ? loadLanes(bias + v * W, lanes) : vf{};
#pragma GCC unroll 16
    for (int i = 0; i < m; i++) {
      vf x = sum[i][v] + offset;
      if (addend) x += loadLanes(addend + i * addendStride + v * W, lanes);
      storeLanes(C + i * strideC + v * W, x, lanes);
    }
  }
}

typedef void Tile(long, const float*, long, const float*, long, float*, long, const float*, long, const float*, int);

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
                         long strideC, const float* addend, long addendStride, const float* bias) {
  forTiles(M, [&](int i, int m) {
    Tile* run = n > W ? tileOf<2, layout>(m) : tileOf<1, layout>(m);
    const float* rows = A + i * (layout == byRows ? stride : layout == byColumns ? 1 : K);
    run(K, rows, stride, B, strideB, C + i * strideC, strideC, addend ? addend + i * addendStride : nullptr,
        addendStride, bias, n);
  });
}

static void product(int M, int N, int K, const float* A, long strideA, const float* packedB, int packedRows, float* C,
                    long strideC, engine::Epilogue e) {
  for (int i = 0; i < M; i += MC) {
    const int rows = M - i < MC ? M - i : MC;
    float* Ci = C + i * strideC;
    for (int k = 0; k < K; k += KC) {
      const int depth = K - k < KC ? K - k : KC;
      // what the first block of K is added to, and all others
      const float* addend = k > 0 ? Ci : e.addend ? e.addend + i * e.addendStride : nullptr;
      const long addendStride = k > 0 ? strideC : e.addendStride;
      const float* bias = k > 0 ? nullptr : e.bias;
      for (int j = 0; j < N; j += NR)
        panelProduct<byRows>(rows, N - j < NR ? N - j : NR, depth, A + i * strideA + k, strideA,
                             packedB + static_cast<long>(j) * packedRows + static_cast<long>(k) * NR, NR, Ci + j, strideC,
                             addend ? addend + j : nullptr, addendStride, bias ? bias + j : nullptr);
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

static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB, float* C,
                               long strideC, float* scratch) {
  float* packedA = scratch + KG * NR;
  const bool pack = N > NR;
  for (int k = 0; k < K; k += KG) {
    const int depth = K - k < KG ? K - k : KG;
    for (int i = 0; i < M; i += MG) {
      const int rows = M - i < MG ? M - i : MG;
      const float* Ai = A + k * strideA + i;
      float* Ci = C + i * strideC;
      if (pack) packColumns(rows, depth, Ai, strideA, packedA);
      for (int j = 0; j < N; j += NR) {
        const int n = N - j < NR ? N - j : NR;
        const float* panel = B + k * strideB + j;
        const bool direct = n == NR && rows <= kDirectTiles * MR;
        if (!direct) packPanels(depth, n, panel, strideB, scratch);
        const float* from = direct ? panel : scratch;
        const long strideFrom = direct ? strideB : NR;
        if (pack)
          panelProduct<packedColumns>(rows, n, depth, packedA, 0, from, strideFrom, Ci + j, strideC, Ci + j, strideC,
                                      nullptr);
        else
          panelProduct<byColumns>(rows, n, depth, Ai, strideA, from, strideFrom, Ci + j, strideC, Ci + j, strideC,
                                  nullptr);
      }
    }
  }
}

}  // namespace
