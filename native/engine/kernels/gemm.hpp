// Matrix products. B is packed into panels of NR columns, [panel][k][NR], so that the inner loop reads it in a line; A is
// read where it lies, one broadcast an element, by rows or by columns; a tile of MR × NR of C lives in registers.
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

// m × n of C from K steps; m rows of A, NV vectors of B. n ≤ NV · W.
template <int m, int NV>
static void tile(long K, const float* __restrict A, long rowStride, long columnStride, const float* __restrict B,
                 long strideB, float* C, long strideC, const float* addend, long addendStride, const float* bias, int n) {
  vf sum[m][NV] = {};
  for (long k = 0; k < K; k++) {
    vf b[NV];
    for (int v = 0; v < NV; v++) b[v] = load(B + v * W);
    for (int i = 0; i < m; i++) {
      const vf a = splat(A[i * rowStride]);
      for (int v = 0; v < NV; v++) sum[i][v] += a * b[v];
    }
    A += columnStride;
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

typedef void Tile(long, const float*, long, long, const float*, long, float*, long, const float*, long, const float*, int);

template <int NV>
INLINE Tile* tileOf(int m) {
  static constexpr Tile* table[] = {
      nullptr,      tile<1, NV>,  tile<2, NV>, tile<3, NV>, tile<4, NV>, tile<5, NV>, tile<6, NV>,
#if defined(__AVX512F__)
      tile<7, NV>,  tile<8, NV>,  tile<9, NV>, tile<10, NV>, tile<11, NV>, tile<12, NV>, tile<13, NV>, tile<14, NV>,
#endif
  };
  return table[m];
}

// one block of K, one panel of B: all rows of C, in tiles as even as they can be
INLINE void panelProduct(int M, int n, int K, const float* A, long rowStride, long columnStride, const float* B,
                         long strideB, float* C, long strideC, const float* addend, long addendStride,
                         const float* bias) {
  const int tiles = (M + MR - 1) / MR;
  int i = 0;
  for (int t = 0; t < tiles; t++) {
    const int m = (M - i + tiles - t - 1) / (tiles - t);
    Tile* run = n > W ? tileOf<2>(m) : tileOf<1>(m);
    run(K, A + i * rowStride, rowStride, columnStride, B, strideB, C + i * strideC, strideC,
        addend ? addend + i * addendStride : nullptr, addendStride, bias, n);
    i += m;
  }
}

static void product(int M, int N, int K, const float* A, long rowStride, long columnStride, const float* packedB,
                    int packedRows, float* C, long strideC, engine::Epilogue e) {
  for (int k = 0; k < K; k += KC) {
    const int depth = K - k < KC ? K - k : KC;
    for (int j = 0; j < N; j += NR) {
      const int n = N - j < NR ? N - j : NR;
      const float* B = packedB + static_cast<long>(j) * packedRows + static_cast<long>(k) * NR;
      if (k == 0)
        panelProduct(M, n, depth, A, rowStride, columnStride, B, NR, C + j, strideC, e.addend ? e.addend + j : nullptr,
                     e.addendStride, e.bias ? e.bias + j : nullptr);
      else
        panelProduct(M, n, depth, A + k * columnStride, rowStride, columnStride, B, NR, C + j, strideC, C + j, strideC,
                     nullptr);
    }
  }
}

// a panel of B and the lines of A that a tile reads by columns have to share the first-level cache
constexpr int KG = 128;
static_assert(KG <= engine::kGradientBlock, "the scratch of a gradient product holds one block");
// up to so many tiles of C, a whole panel of B is read where it lies: packing it would not pay
constexpr int kDirectTiles = 5;


static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB, float* C,
                               long strideC, float* scratch) {
  for (int k = 0; k < K; k += KG) {
    const int depth = K - k < KG ? K - k : KG;
    for (int j = 0; j < N; j += NR) {
      const int n = N - j < NR ? N - j : NR;
      const bool direct = n == NR && M <= kDirectTiles * MR;
      const float* from = B + k * strideB + j;
      if (!direct) packPanels(depth, n, from, strideB, scratch);
      panelProduct(M, n, depth, A + k * strideA, 1, strideA, direct ? from : scratch, direct ? strideB : NR, C + j, strideC,
                   C + j, strideC, nullptr);
    }
  }
}

}  // namespace
