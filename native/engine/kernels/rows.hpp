// Row-wise kernels: LayerNorm (Ba et al. 2016), cross-entropy, and their gradients; maximum and softmax of a row for
// decoding. Contracts are in kernels.hpp.
//
// Several rows are processed together: the reduction of one row is a dependency chain, and independent rows hide its
// latency.
#pragma once
#include "kernels.hpp"
#include "math.hpp"

namespace {

// An argument whose value is known at compile time.
template <int number>
struct Constant {
  static constexpr int value = number;
};

// Calls f(first, count) for groups of `max` rows, then for single rows. `count` is a Constant.
template <int max, class F>
INLINE void forRowGroups(int rows, F f) {
  int r = 0;
  for (; r + max <= rows; r += max) f(r, Constant<max>());
  for (; r < rows; r++) f(r, Constant<1>());
}

// Processes W rows at a time, so that one call of sumRows() finishes the sums of all of them.
static void layerNorm(int rows, int columns, const float* x, const float* weight, const float* bias, float* out,
                      float* means, float* rstds) {
  const long C = columns;
  forRowGroups<W>(rows, [&](int first, auto count) {
    const float* xs = x + first * C;
    float* outs = out + first * C;
    alignas(64) float mean[W], rstd[W];
    const vf sum =
        sumAlongRows(count.value, C, [&](vf sum, int r, long i, int n) { return sum + loadLanes(xs + r * C + i, n); });
    store(mean, sum * (1.0f / C));
    const vf squares = sumAlongRows(count.value, C, [&](vf sum, int r, long i, int n) {
      const vf d = zeroOtherLanes(loadLanes(xs + r * C + i, n) - mean[r], n);
      return multiplyAdd(d, d, sum);
    });
    store(rstd, 1.0f / squareRoot(squares * (1.0f / C) + 1e-5f));
    forVectors(C, [&](long i, int n) {
      const vf g = loadLanes(weight + i, n), b = bias ? loadLanes(bias + i, n) : vf{};
      UNROLL_FOR (int r = 0; r < count.value; r++)
        storeLanes(outs + r * C + i, multiplyAdd(loadLanes(xs + r * C + i, n) - mean[r], rstd[r] * g, b), n);
    });
    if (means) {
      storeLanes(means + first, load(mean), count.value);
      storeLanes(rstds + first, load(rstd), count.value);
    }
  });
}

// With y = (x − mean)·rstd and g = dout·weight: dx = rstd·(g − mean(g) − y·mean(g·y))
static void layerNormBackward(int rows, int columns, const float* x, const float* weight, const float* bias,
                              const float* means, const float* rstds, const float* dout, const float* addend, float* dx,
                              float* dweight, float* dbias, float* out) {
  // sums holds Σ g of half = W/2 rows, then Σ g·y of the same rows. Each part of the lanes takes one pass over the
  // rows, because the sums of all parts do not fit the registers.
  constexpr int half = W / 2;
  const long C = columns;
  forRowGroups<half>(rows, [&](int first, auto count) {
    const long start = first * C;
    const float *mean = means + first, *rstd = rstds + first;
    vf parts[W][kParts], sums[W];
    UNROLL_FOR (int part = 0; part < kParts; part++) {
      vf sum[W] = {};
      forVectorsFrom(part * W, kSumLanes, C, [&](long i, int n) {
        const vf w = loadLanes(weight + i, n);
        vf dweightSum = loadLanes(dweight + i, n), dbiasSum = dbias ? loadLanes(dbias + i, n) : vf{};
        UNROLL_FOR (int r = 0; r < count.value; r++) {
          const vf d = loadLanes(dout + start + r * C + i, n);
          const vf y = (loadLanes(x + start + r * C + i, n) - mean[r]) * rstd[r];
          const vf g = d * w;
          sum[r] += g;
          sum[half + r] = multiplyAdd(g, y, sum[half + r]);
          dweightSum = multiplyAdd(d, y, dweightSum);
          dbiasSum += d;
        }
        storeLanes(dweight + i, dweightSum, n);
        if (dbias) storeLanes(dbias + i, dbiasSum, n);
      });
      UNROLL_FOR (int r = 0; r < W; r++) parts[r][part] = sum[r];
    }
    UNROLL_FOR (int r = 0; r < W; r++) sums[r] = foldParts(parts[r]);
    alignas(64) float meansOf[W];
    store(meansOf, sumRows(sums) * (1.0f / C));
    forVectors(C, [&](long i, int n) {
      const vf w = loadLanes(weight + i, n), b = bias ? loadLanes(bias + i, n) : vf{};
      UNROLL_FOR (int r = 0; r < count.value; r++) {
        const long at = start + r * C + i;
        const vf y = (loadLanes(x + at, n) - mean[r]) * rstd[r];
        const vf centred = multiplyAdd(loadLanes(dout + at, n), w, splat(-meansOf[r]));
        const vf d = multiplyAdd(y, splat(-meansOf[half + r]), centred);
        const vf before = addend ? loadLanes(addend + at, n) : vf{};
        storeLanes(dx + at, multiplyAdd(d, splat(rstd[r]), before), n);
        if (out) storeLanes(out + at, multiplyAdd(y, w, b), n);
      }
    });
  });
}

// x (rows,N), rows `stride` apart → sums (N) += Σ over rows of x
static void addColumnSums(int rows, int N, const float* x, long stride, float* sums) {
  forVectors(N, [&](long j, int n) {
    vf sum = loadLanes(sums + j, n);
    for (int r = 0; r < rows; r++) sum += loadLanes(x + r * stride + j, n);
    storeLanes(sums + j, sum, n);
  });
}

// Maximum of n ≥ 1 floats.
INLINE float rowMaximum(const float* x, int n) {
  float largest = x[0];
  vf max = splat(x[0]);
  int i = 0;
  for (; i + W <= n; i += W) max = maximum(load(x + i), max);
  largest = maximumLane(max);
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// x (n) becomes e^((x − shift)·scale), in place. Returns the sum.
INLINE float exponentials(float* x, int n, float shift, float scale) {
  return sumLanes(sumAlong(n, [&](vf sum, long i, int lanes) {
    const vf e = exponential((loadLanes(x + i, lanes) - shift) * scale);
    storeLanes(x + i, e, lanes);
    return sum + zeroOtherLanes(e, lanes);
  }));
}

// x (n) becomes x · factor, in place.
INLINE void scaleRow(float* x, int n, float factor) {
  forVectors(n, [&](long i, int lanes) { storeLanes(x + i, loadLanes(x + i, lanes) * factor, lanes); });
}

// The loss of a row is log Σ e^(x − max) + max − x[target]. The sums lie between 1 and V, so one logarithm of the
// product of kLogRows sums replaces the sum of their logarithms. kLogRows is the same for every instruction set, so
// that the loss is too.
constexpr int kLogRows = 16;
static double crossEntropy(int rows, int columns, float* logits, const uint32_t* targets, float scale) {
  double loss = 0, product = 1;
  const long V = columns;
  forRowGroups<W>(rows, [&](int first, auto count) {
    float* x = logits + first * V;
    alignas(64) float max[W], total[W];
    vf largest[W];
    for (int r = 0; r < W; r++) largest[r] = splat(r < count.value ? x[r * V] : 0.0f);
    forVectors(V, [&](long i, int n) {
      UNROLL_FOR (int r = 0; r < count.value; r++) {
        const vf v = loadLanes(x + r * V + i, n);
        largest[r] = maximum(n == W ? v : select(laneNumbers() < n, v, largest[r]), largest[r]);
      }
    });
    store(max, maximumRows(largest));
    for (int r = 0; r < count.value; r++) loss += static_cast<double>(max[r]) - x[r * V + targets[first + r]];
    store(total, sumAlongRows(count.value, V, [&](vf sum, int r, long i, int n) {
            float* at = x + r * V + i;
            const vf e = zeroOtherLanes(exponential(loadLanes(at, n) - max[r]), n);
            storeLanes(at, e, n);
            return sum + e;
          }));
    for (int r = 0; r < count.value; r++) product *= total[r];
    const int done = first + count.value;
    if (done % kLogRows == 0 || done == rows) {
      loss += __builtin_log(product);
      product = 1;
    }
    if (scale == 0) return;
    for (int r = 0; r < count.value; r++) {
      scaleRow(x + r * V, V, scale / total[r]);
      x[r * V + targets[first + r]] -= scale;
    }
  });
  return loss;
}

}  // namespace
