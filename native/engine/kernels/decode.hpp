// Kernels for decoding, one token of each stream at a time: products of a few rows with all weights, and attention of
// one query to a cache of keys and values. The products cannot be faster than memory delivers the weights.
#pragma once
#include "gemm.hpp"
#include "rows.hpp"

namespace {

// Rows of A in a tile, rows of A used at a time, and floats of their packed form. The packed form is small, so that
// most of the L2 cache is left to the weights that stream through it.
constexpr int kStreamTile = kTileRows[2], kStreamRows = 4 * kStreamTile, kStreamNumbers = 1 << 15;

// Prefetch distance in numbers of a panel. Prefetching is needed because the hardware prefetcher stops at the border of
// a page.
constexpr long kPrefetchDistance = 1024;

// A [K][m], a pair of panels (K,W) `next` apart, read once from end to end → C (m,n) = A·B + addend + bias, n ≤ 2·W
template <int m, class Element>
static void streamTile(long K, const float* __restrict A, const Element* __restrict panel, long next, float* C,
                       long strideC, const float* addend, long addendStride, const float* bias, int n) {
  const auto lanesOf = [&](int v) { return n < v * W ? 0 : n - v * W < W ? n - v * W : W; };
  // As in a tile, a sum starts from addend + bias and goes on in the order of k.
  vf sum[m][2];
  UNROLL_FOR (int v = 0; v < 2; v++) {
    const int lanes = lanesOf(v);
    const vf offset = bias ? loadLanes(bias + v * W, lanes) : vf{};
    UNROLL_FOR (int i = 0; i < m; i++)
      sum[i][v] = addend ? offset + loadLanes(addend + i * addendStride + v * W, lanes) : offset;
  }
  for (long k = 0; k < K; k++, A += m, panel += W) {
    const vf low = load(panel), high = load(panel + next);
    __builtin_prefetch(panel + kPrefetchDistance);
    __builtin_prefetch(panel + next + kPrefetchDistance);
    UNROLL_FOR (int i = 0; i < m; i++) {
      const vf a = broadcast(A + i);
      sum[i][0] += a * low;
      sum[i][1] += a * high;
    }
  }
  UNROLL_FOR (int v = 0; v < 2; v++)
    UNROLL_FOR (int i = 0; i < m; i++) storeLanes(C + i * strideC + v * W, sum[i][v], lanesOf(v));
}

// The type of streamTile<m, Element>.
template <class Element>
using StreamTile = void(long, const float*, const Element*, long, float*, long, const float*, long, const float*, int);

// Returns streamTile for m rows, 1 ≤ m ≤ kStreamTile.
template <class Element>
INLINE StreamTile<Element>* streamTileOf(int m) {
  static constexpr StreamTile<Element>* table[] = {
      nullptr,
      streamTile<1, Element>,
      streamTile<2, Element>,
      streamTile<3, Element>,
      streamTile<4, Element>,
      streamTile<5, Element>,
      streamTile<6, Element>,
#if defined(__AVX512F__)
      streamTile<7, Element>,
      streamTile<8, Element>,
      streamTile<9, Element>,
      streamTile<10, Element>,
      streamTile<11, Element>,
      streamTile<12, Element>,
      streamTile<13, Element>,
      streamTile<14, Element>,
#endif
  };
  return table[m];
}

// A (M,K), panels of B (K,N) → columns of panel pairs firstPanel … endPanel − 1 of C (M,N) = A·B + addend + bias.
// See Kernels::streamProduct.
template <class Element>
static void streamProduct(int M, int N, int K, const float* A, long strideA, const float* panels, int firstPanel,
                          int endPanel, float* C, long strideC, engine::Epilogue e) {
  alignas(64) float packed[kStreamNumbers];
  const Element* B = reinterpret_cast<const Element*>(panels);
  for (int first = 0; first < M; first += kStreamRows) {
    const int rows = M - first < kStreamRows ? M - first : kStreamRows;
    const int max = kStreamNumbers / rows;
    for (int k = 0; k < K; k += max) {
      const int depth = K - k < max ? K - k : max;
      forEvenParts(rows, kStreamTile, [&](int i, int m) {
        packRows(m, depth, A + (first + i) * strideA + k, strideA, m, packed + static_cast<long>(i) * depth);
      });
      if (sizeof(Element) == 2) roundAll(static_cast<long>(rows) * depth, packed);
      for (int panel = firstPanel; panel < endPanel; panel++) {
        const int j = panel * NR, n = N - j < NR ? N - j : NR;
        forEvenParts(rows, kStreamTile, [&](int i, int m) {
          float* to = C + (first + i) * strideC + j;
          // The first part of K adds to the addend, and later parts add to C.
          const float* addend = k > 0 ? to : e.addend ? e.addend + (first + i) * e.addendStride + j : nullptr;
          streamTileOf<Element>(m)(depth, packed + static_cast<long>(i) * depth,
                                   B + static_cast<long>(j) * K + static_cast<long>(k) * W, static_cast<long>(K) * W,
                                   to, strideC, addend, k > 0 ? strideC : e.addendStride,
                                   k > 0 || !e.bias ? nullptr : e.bias + j, n);
        });
      }
    }
  }
}

// Distance in floats from one value in the cache to the next.
INLINE int valueStride(int D) { return (D + W - 1) / W * W; }

// q (D), P panels of keys → scores (P·NR) = scale · q·K. P panels at a time give enough independent sums to keep the
// arithmetic units busy.
template <int P>
INLINE void scorePanels(int D, float scale, const float* q, const float* keys, float* scores) {
  vf sum[P][2] = {};
  for (int d = 0; d < D; d++) {
    const vf a = broadcast(q + d);
    UNROLL_FOR (int p = 0; p < P; p++) {
      const float* row = keys + (static_cast<long>(p) * D + d) * NR;
      sum[p][0] += a * load(row);
      sum[p][1] += a * load(row + W);
    }
  }
  UNROLL_FOR (int p = 0; p < P; p++) {
    store(scores + p * NR, sum[p][0] * scale);
    store(scores + p * NR + W, sum[p][1] * scale);
  }
}

// weights (count), values (count,·) → out (n) = factor · Σ_t weights[t] · values(t) for V vectors of columns, n ≤ V·W.
// Processes four tokens at a time, on every instruction set, because the order of the sum depends on it.
template <int V>
INLINE void weightedSum(int count, float factor, const float* weights, const float* values, int stride, float* out,
                        int n) {
  constexpr int S = 4;
  vf sum[S][V] = {};
  int t = 0;
  for (; t + S <= count; t += S)
    UNROLL_FOR (int s = 0; s < S; s++) {
      const vf a = broadcast(weights + t + s);
      UNROLL_FOR (int v = 0; v < V; v++) sum[s][v] += a * load(values + static_cast<long>(t + s) * stride + v * W);
    }
  for (; t < count; t++)
    UNROLL_FOR (int v = 0; v < V; v++)
      sum[0][v] += broadcast(weights + t) * load(values + static_cast<long>(t) * stride + v * W);
  UNROLL_FOR (int v = 0; v < V; v++) {
    UNROLL_FOR (int s = 1; s < S; s++) sum[0][v] += sum[s][v];
    const int left = n - v * W;
    storeLanes(out + v * W, sum[0][v] * factor, left < W ? left : W);
  }
}

// key (D), value (D) → column `position` of keys, row `position` of values. See Kernels::appendToCache.
static void appendToCache(int position, int D, const float* key, const float* value, float* keys, float* values) {
  float* column = keys + static_cast<long>(position / NR) * D * NR + position % NR;
  for (int d = 0; d < D; d++) column[static_cast<long>(d) * NR] = key[d];
  memcpy(values + static_cast<long>(position) * valueStride(D), value, D * sizeof(float));
}

// q (D), keys, values (count,·) → out (D) = softmax(scale · q·K)·V. See Kernels::attentionDecode.
static void attentionDecode(int count, int D, float scale, const float* q, const float* keys, const float* values,
                            float* scores, float* out) {
  const int panels = (count + NR - 1) / NR;
  int p = 0;
  for (; p + 4 <= panels; p += 4) scorePanels<4>(D, scale, q, keys + static_cast<long>(p) * D * NR, scores + p * NR);
  for (; p < panels; p++) scorePanels<1>(D, scale, q, keys + static_cast<long>(p) * D * NR, scores + p * NR);
  const float factor = 1.0f / exponentials(scores, count, rowMaximum(scores, count), 1.0f);
  const int stride = valueStride(D);
  for (int d = 0; d < D; d += 2 * W) {
    const int n = D - d;
    if (n > W)
      weightedSum<2>(count, factor, scores, values + d, stride, out + d, n < 2 * W ? n : 2 * W);
    else
      weightedSum<1>(count, factor, scores, values + d, stride, out + d, n);
  }
}

}  // namespace
