// What decoding takes, a token of each stream at a time: products of a few rows with all the weights, which cannot be
// faster than the weights come from memory, and attention of one query to the keys and values that were kept.
#pragma once
#include "gemm.hpp"
#include "rows.hpp"

namespace {

// rows taken at a time, and packed numbers of theirs: both leave the second-level cache to what passes
constexpr int kStreamTile = kRows[2], kStreamRows = 4 * kStreamTile, kStreamNumbers = 1 << 15;

// numbers of a panel that are asked for before their turn: processors ask for no more than the page they are in
constexpr long kAhead = 1024;

// m rows of C from a pair of panels, `next` apart, read once from end to end; A lies as [k][m]
template <int m, class Number>
static void streamTile(long K, const float* __restrict A, const Number* __restrict panel, long next, float* C,
                       long strideC, const float* addend, long addendStride, const float* bias, int n) {
  vf sum[m][2] = {};
  for (long k = 0; k < K; k++, A += m, panel += W) {
    const vf low = load(panel), high = load(panel + next);
    __builtin_prefetch(panel + kAhead);
    __builtin_prefetch(panel + next + kAhead);
    UNROLL for (int i = 0; i < m; i++) {
      const vf a = broadcast(A + i);
      sum[i][0] += a * low;
      sum[i][1] += a * high;
    }
  }
  UNROLL for (int v = 0; v < 2; v++) {
    const int left = n - v * W, lanes = left < 0 ? 0 : left < W ? left : W;
    const vf offset = bias ? loadLanes(bias + v * W, lanes) : vf{};
    UNROLL for (int i = 0; i < m; i++) {
      vf x = sum[i][v] + offset;
      if (addend) x += loadLanes(addend + i * addendStride + v * W, lanes);
      storeLanes(C + i * strideC + v * W, x, lanes);
    }
  }
}

template <class Number>
using StreamTile = void(long, const float*, const Number*, long, float*, long, const float*, long, const float*, int);

template <class Number>
INLINE StreamTile<Number>* streamTileOf(int m) {
  static constexpr StreamTile<Number>* table[] = {
      nullptr,
      streamTile<1, Number>,
      streamTile<2, Number>,
      streamTile<3, Number>,
      streamTile<4, Number>,
      streamTile<5, Number>,
      streamTile<6, Number>,
#if defined(__AVX512F__)
      streamTile<7, Number>,
      streamTile<8, Number>,
      streamTile<9, Number>,
      streamTile<10, Number>,
      streamTile<11, Number>,
      streamTile<12, Number>,
      streamTile<13, Number>,
      streamTile<14, Number>,
#endif
  };
  return table[m];
}

template <class Number>
static void streamProduct(int M, int N, int K, const float* A, long strideA, const float* panels, int firstPanel,
                          int endPanel, float* C, long strideC, engine::Epilogue e) {
  alignas(64) float packed[kStreamNumbers];
  const Number* B = reinterpret_cast<const Number*>(panels);
  for (int first = 0; first < M; first += kStreamRows) {
    const int rows = M - first < kStreamRows ? M - first : kStreamRows;
    const int most = kStreamNumbers / rows;
    for (int k = 0; k < K; k += most) {
      const int depth = K - k < most ? K - k : most;
      forParts(rows, kStreamTile, [&](int i, int m) {
        packRows(m, depth, A + (first + i) * strideA + k, strideA, m, packed + static_cast<long>(i) * depth);
      });
      if (sizeof(Number) == 2) roundAll(static_cast<long>(rows) * depth, packed);
      for (int panel = firstPanel; panel < endPanel; panel++) {
        const int j = panel * NR, n = N - j < NR ? N - j : NR;
        forParts(rows, kStreamTile, [&](int i, int m) {
          float* to = C + (first + i) * strideC + j;
          // what the first block of K is added to, and all others
          const float* addend = k > 0 ? to : e.addend ? e.addend + (first + i) * e.addendStride + j : nullptr;
          streamTileOf<Number>(m)(depth, packed + static_cast<long>(i) * depth,
                                  B + static_cast<long>(j) * K + static_cast<long>(k) * W, static_cast<long>(K) * W, to,
                                  strideC, addend, k > 0 ? strideC : e.addendStride,
                                  k > 0 || !e.bias ? nullptr : e.bias + j, n);
        });
      }
    }
  }
}

// floats between the values of one token and the next
INLINE int valueStride(int D) { return (D + W - 1) / W * W; }

// scores of P panels of keys: as many sums as keep the units busy
template <int P>
INLINE void scorePanels(int D, float scale, const float* q, const float* keys, float* scores) {
  vf sum[P][2] = {};
  for (int d = 0; d < D; d++) {
    const vf a = broadcast(q + d);
    UNROLL for (int p = 0; p < P; p++) {
      const float* row = keys + (static_cast<long>(p) * D + d) * NR;
      sum[p][0] += a * load(row);
      sum[p][1] += a * load(row + W);
    }
  }
  UNROLL for (int p = 0; p < P; p++) {
    store(scores + p * NR, sum[p][0] * scale);
    store(scores + p * NR + W, sum[p][1] * scale);
  }
}

// V vectors of Σ weights[t] · values(t), S tokens at a time; n ≤ V · W
template <int V, int S>
INLINE void weighValues(int count, float factor, const float* weights, const float* values, int stride, float* out,
                        int n) {
  vf sum[S][V] = {};
  int t = 0;
  for (; t + S <= count; t += S) UNROLL for (int s = 0; s < S; s++) {
      const vf a = broadcast(weights + t + s);
      UNROLL for (int v = 0; v < V; v++) sum[s][v] += a * load(values + static_cast<long>(t + s) * stride + v * W);
    }
  for (; t < count; t++)
    UNROLL for (int v = 0; v < V; v++) sum[0][v] += load(values + static_cast<long>(t) * stride + v * W) * weights[t];
  UNROLL for (int v = 0; v < V; v++) {
    UNROLL for (int s = 1; s < S; s++) sum[0][v] += sum[s][v];
    const int left = n - v * W;
    storeLanes(out + v * W, sum[0][v] * factor, left < W ? left : W);
  }
}

static void keepToken(int position, int D, const float* key, const float* value, float* keys, float* values) {
  float* column = keys + static_cast<long>(position / NR) * D * NR + position % NR;
  for (int d = 0; d < D; d++) column[static_cast<long>(d) * NR] = key[d];
  memcpy(values + static_cast<long>(position) * valueStride(D), value, D * sizeof(float));
}

static void attendToKept(int count, int D, float scale, const float* q, const float* keys, const float* values,
                         float* scores, float* out) {
  const int panels = (count + NR - 1) / NR;
  int p = 0;
  for (; p + 4 <= panels; p += 4) scorePanels<4>(D, scale, q, keys + static_cast<long>(p) * D * NR, scores + p * NR);
  for (; p < panels; p++) scorePanels<1>(D, scale, q, keys + static_cast<long>(p) * D * NR, scores + p * NR);
  const float factor = 1.0f / exponentials(scores, count, rowMaximum(scores, count), 1.0f);
  const int stride = valueStride(D);
  for (int d = 0; d < D; d += 4 * W) {
    const int n = D - d;
    if (n > 3 * W)
      weighValues<4, 2>(count, factor, scores, values + d, stride, out + d, n < 4 * W ? n : 4 * W);
    else if (n > 2 * W)
      weighValues<3, 2>(count, factor, scores, values + d, stride, out + d, n);
    else if (n > W)
      weighValues<2, 4>(count, factor, scores, values + d, stride, out + d, n);
    else
      weighValues<1, 4>(count, factor, scores, values + d, stride, out + d, n);
  }
}

}  // namespace
