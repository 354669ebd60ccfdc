// Causal attention of a head of width 8, a vector of AVX2 (D = W), and its gradient, without dropout.
//
// The register tiles of attention.hpp need long products to be fast, and D is only 8 here. So this file takes W queries
// at a time, one in each lane, and goes over all keys that they see. A row of k or v is one vector: its numbers are
// broadcast, and the gradients of keys and values are summed in whole rows, so no tile of scores is transposed.
//
// On AVX2 it takes half the time of the tiles. AVX-512 calls the functions of AVX2, so that the bits are the same.
#pragma once
#include "kernels.hpp"
#include "math.hpp"

namespace {

// Whether a head is computed here.
INLINE bool fitsVectors(const engine::AttentionHead& h) {
  return W >= 8 && h.width == engine::kVectorHead && h.dropoutThreshold == 0;
}

#if defined(__AVX512F__)

static void vectorAttention(const engine::AttentionHead& h, float* out, long outStride, float* rowMax, float* rowSumInv,
                            float* scratch) {
  engine::avx2Kernels().attention(h, out, outStride, rowMax, rowSumInv, scratch);
}

static void vectorAttentionBackward(const engine::AttentionHead& h, const float* out, const float* dout, long outStride,
                                    const float* rowMax, const float* rowSumInv, float* dq, float* dk, float* dv,
                                    float* scratch) {
  engine::avx2Kernels().attentionBackward(h, out, dout, outStride, rowMax, rowSumInv, dq, dk, dv, scratch);
}

#else

// W rows of W numbers, `stride` apart, times `factor` → rows. Rows from `count` on are zeros.
INLINE void loadRows(int count, const float* from, long stride, float factor, vf rows[W]) {
  UNROLL_FOR (int r = 0; r < W; r++) rows[r] = r < count ? load(from + r * stride) * factor : vf{};
}

// The same, transposed.
INLINE void loadColumns(int count, const float* from, long stride, float factor, vf columns[W]) {
  loadRows(count, from, stride, factor, columns);
  transpose(columns);
}

// columns, times `factor` → the first `count` rows, `stride` apart. Overwrites columns.
INLINE void storeColumns(int count, vf columns[W], vf factor, float* to, long stride) {
  UNROLL_FOR (int d = 0; d < W; d++) columns[d] *= factor;
  transpose(columns);
  UNROLL_FOR (int r = 0; r < W; r++)
    if (r < count) store(to + r * stride, columns[r]);
}

// row (W), columns (W,W) → Σ_d row[d] · columns[d] + addend. Two sums side by side, because each addition waits for the
// one before it.
INLINE vf dotColumns(const float* row, const vf columns[W], vf addend = vf{}) {
  vf even = splat(row[0]) * columns[0] + addend, odd = splat(row[1]) * columns[1];
  UNROLL_FOR (int d = 2; d < W; d += 2) {
    even += splat(row[d]) * columns[d];
    odd += splat(row[d + 1]) * columns[d + 1];
  }
  return even + odd;
}

// Calls f(key, visible) for each key that one of the W queries query … query + W − 1 sees. `visible` is the mask of the
// queries that see this key.
template <class F>
INLINE void forKeysOf(long query, long T, F f) {
  const vi lane = laneNumbers(), each = ~vi{};
  const long end = query + W < T ? query + W : T;
  for (long k = 0; k < query; k++) f(k, each);
  for (long k = query; k < end; k++) f(k, lane >= static_cast<int32_t>(k - query));
}

// from (T,W), rows `stride` apart → to (T,W). Rows that are a multiple of some cache lines apart share few sets of the
// L1 cache: 128 rows of q, k and v do not stay there. Their copies do.
INLINE void copyRows(long T, const float* from, long stride, float* to, long toStride) {
  for (long t = 0; t < T; t++) store(to + t * toStride, load(from + t * stride));
}

// rows (W,W), weights [key][query] → sums (seen,W) += Σ_query weights[key][query] · rows[query]
INLINE void addOverQueries(long seen, const float* weights, const vf rows[W], float* sums) {
  for (long k = 0; k < seen; k++) store(sums + k * W, dotColumns(weights + k * W, rows, load(sums + k * W)));
}

// See Kernels::attention. scratch: 3 · T · W floats.
static void vectorAttention(const engine::AttentionHead& h, float* out, long outStride, float* rowMax, float* rowSumInv,
                            float* scratch) {
  const long T = h.length;
  float *scores = scratch, *keys = scores + T * W, *values = keys + T * W;
  copyRows(T, h.k, h.stride, keys, W);
  copyRows(T, h.v, h.stride, values, W);
  for (long i = 0; i < T; i += W) {
    const int count = T - i < W ? static_cast<int>(T - i) : W;
    vf queries[W], sums[W] = {}, sum = {}, max = splat(-1e30f);
    loadColumns(count, h.q + i * h.stride, h.stride, h.scale * kLog2E, queries);
    forKeysOf(i, T, [&](long k, vi visible) __attribute__((always_inline)) {
      const vf score = dotColumns(keys + k * W, queries);
      store(scores + k * W, score);
      max = maximum(select(visible, score, max), max);
    });
    forKeysOf(i, T, [&](long k, vi visible) __attribute__((always_inline)) {
      const float* value = values + k * W;
      const vf e = select(visible, powerOfTwo(load(scores + k * W) - max), vf{});
      sum += e;
      UNROLL_FOR (int d = 0; d < W; d++) sums[d] += e * splat(value[d]);
    });
    const vf factor = 1.0f / sum;
    storeColumns(count, sums, factor, out + i * outStride, outStride);
    storeLanes(rowMax + i, max, count);
    storeLanes(rowSumInv + i, factor, count);
  }
}

// See Kernels::attentionBackward, and attention.hpp for the formulas. scratch: 6 · T · W floats. One loop over the keys
// for each product, so that the columns of one matrix stay in registers.
static void vectorAttentionBackward(const engine::AttentionHead& h, const float* out, const float* dout, long outStride,
                                    const float* rowMax, const float* rowSumInv, float* dq, float* dk, float* dv,
                                    float* scratch) {
  const long T = h.length;
  float *probabilities = scratch, *dscores = probabilities + T * W, *keys = dscores + T * W, *values = keys + T * W;
  float *dkeys = values + T * W, *dvalues = dkeys + T * W;
  copyRows(T, h.k, h.stride, keys, W);
  copyRows(T, h.v, h.stride, values, W);
  memset(dkeys, 0, 2 * T * W * sizeof(float));
  for (long i = 0; i < T; i += W) {
    const int count = T - i < W ? static_cast<int>(T - i) : W;
    const long seen = i + count;
    const float *query = h.q + i * h.stride, *outRow = out + i * outStride, *doutRow = dout + i * outStride;
    vf matrix[W];
    loadRows(count, outRow, outStride, 1.0f, matrix);
    UNROLL_FOR (int r = 0; r < W; r++) matrix[r] *= r < count ? load(doutRow + r * outStride) : vf{};
    const vf delta = sumRows(matrix);

    const vf max = loadLanes(rowMax + i, count), factor = loadLanes(rowSumInv + i, count);
    loadColumns(count, query, h.stride, h.scale * kLog2E, matrix);
    forKeysOf(i, T, [&](long k, vi visible) __attribute__((always_inline)) {
      const vf score = dotColumns(keys + k * W, matrix);
      store(probabilities + k * W, select(visible, powerOfTwo(score - max) * factor, vf{}));
    });
    loadColumns(count, doutRow, outStride, 1.0f, matrix);
    for (long k = 0; k < seen; k++) {
      const vf dprobability = dotColumns(values + k * W, matrix);
      store(dscores + k * W, load(probabilities + k * W) * (dprobability - delta));
    }
    vf dqueries[W] = {};
    for (long k = 0; k < seen; k++) {
      const vf dscore = load(dscores + k * W);
      UNROLL_FOR (int d = 0; d < W; d++) dqueries[d] += dscore * splat(keys[k * W + d]);
    }
    storeColumns(count, dqueries, splat(h.scale), dq + i * h.stride, h.stride);
    loadRows(count, doutRow, outStride, 1.0f, matrix);
    addOverQueries(seen, probabilities, matrix, dvalues);
    loadRows(count, query, h.stride, h.scale, matrix);
    addOverQueries(seen, dscores, matrix, dkeys);
  }
  copyRows(T, dkeys, W, dk, h.stride);
  copyRows(T, dvalues, W, dv, h.stride);
}

#endif

}  // namespace
