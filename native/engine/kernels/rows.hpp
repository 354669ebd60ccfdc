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
    vf sums[W];
    for (int r = 0; r < W; r++) {
      vf sum = {};
      if (r < count.value) forVectors(C, [&](long i, int n) { sum += loadLanes(xs + r * C + i, n); });
      sums[r] = sum;
    }
    store(mean, sumRows(sums) * (1.0f / C));
    for (int r = 0; r < W; r++) {
      vf sum = {};
      if (r < count.value)
        forVectors(C, [&](long i, int n) {
          const vf d = zeroOtherLanes(loadLanes(xs + r * C + i, n) - mean[r], n);
          sum += d * d;
        });
      sums[r] = sum;
    }
    store(rstd, 1.0f / squareRoot(sumRows(sums) * (1.0f / C) + 1e-5f));
    forVectors(C, [&](long i, int n) {
      const vf g = loadLanes(weight + i, n), b = bias ? loadLanes(bias + i, n) : vf{};
      UNROLL_FOR (int r = 0; r < count.value; r++)
        storeLanes(outs + r * C + i, (loadLanes(xs + r * C + i, n) - mean[r]) * (rstd[r] * g) + b, n);
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
  // sums holds Σ g of half = W/2 rows, then Σ g·y of the same rows.
  constexpr int half = W / 2;
  const long C = columns;
  forRowGroups<half>(rows, [&](int first, auto count) {
    const long start = first * C;
    const float *mean = means + first, *rstd = rstds + first;
    vf sums[W];
    UNROLL_FOR (int r = 0; r < W; r++) sums[r] = vf{};
    forVectors(C, [&](long i, int n) {
      const vf w = loadLanes(weight + i, n);
      vf dweightSum = loadLanes(dweight + i, n), dbiasSum = dbias ? loadLanes(dbias + i, n) : vf{};
      UNROLL_FOR (int r = 0; r < count.value; r++) {
        const vf d = loadLanes(dout + start + r * C + i, n);
        const vf y = (loadLanes(x + start + r * C + i, n) - mean[r]) * rstd[r];
        const vf g = d * w;
        sums[r] += g;
        sums[half + r] += g * y;
        dweightSum += d * y;
        dbiasSum += d;
      }
      storeLanes(dweight + i, dweightSum, n);
      if (dbias) storeLanes(dbias + i, dbiasSum, n);
    });
    alignas(64) float meansOf[W];
    store(meansOf, sumRows(sums) * (1.0f / C));
    forVectors(C, [&](long i, int n) {
      const vf w = loadLanes(weight + i, n), b = bias ? loadLanes(bias + i, n) : vf{};
      UNROLL_FOR (int r = 0; r < count.value; r++) {
        const long at = start + r * C + i;
        const vf y = (loadLanes(x + at, n) - mean[r]) * rstd[r];
        const vf d = (loadLanes(dout + at, n) * w - meansOf[r] - y * meansOf[half + r]) * rstd[r];
        storeLanes(dx + at, addend ? d + loadLanes(addend + at, n) : d, n);
        if (out) storeLanes(out + at, y * w + b, n);
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
  vf sum = {};
  int i = 0;
  for (; i + W <= n; i += W) {
    const vf e = exponential((load(x + i) - shift) * scale);
    store(x + i, e);
    sum += e;
  }
  float total = sumLanes(sum);
  if (i < n) {
    const vf e = exponential((loadPart(x + i, n - i) - shift) * scale);
    storePart(x + i, e, n - i);
    for (int lane = 0; lane < n - i; lane++) total += e[lane];
  }
  return total;
}

// x (n) becomes x · factor, in place.
INLINE void scaleRow(float* x, int n, float factor) {
  forVectors(n, [&](long i, int lanes) { storeLanes(x + i, loadLanes(x + i, lanes) * factor, lanes); });
}

// The loss of a row is log Σ e^(x − max) + max − x[target]. The sums lie between 1 and V, so one logarithm of the
// product of a few sums replaces the sum of their logarithms.
static double crossEntropy(int rows, int columns, float* logits, const uint32_t* targets, float scale) {
  double loss = 0;
  const long V = columns;
  forRowGroups<W>(rows, [&](int first, auto count) {
    float* x = logits + first * V;
    alignas(64) float max[W], total[W];
    vf sums[W], largest[W];
    for (int r = 0; r < W; r++) largest[r] = splat(r < count.value ? x[r * V] : 0.0f);
    forVectors(V, [&](long i, int n) {
      UNROLL_FOR (int r = 0; r < count.value; r++) {
        const vf v = loadLanes(x + r * V + i, n);
        largest[r] = maximum(n == W ? v : select(laneNumbers() < n, v, largest[r]), largest[r]);
      }
    });
    store(max, maximumRows(largest));
    double product = 1;
    for (int r = 0; r < count.value; r++) loss += static_cast<double>(max[r]) - x[r * V + targets[first + r]];
    for (int r = 0; r < W; r++) {
      vf sum = {};
      if (r < count.value)
        forVectors(V, [&](long i, int n) {
          float* at = x + r * V + i;
          const vf e = zeroOtherLanes(exponential(loadLanes(at, n) - max[r]), n);
          storeLanes(at, e, n);
          sum += e;
        });
      sums[r] = sum;
    }
    store(total, sumRows(sums));
    for (int r = 0; r < count.value; r++) product *= total[r];
    loss += __builtin_log(product);
    if (scale == 0) return;
    for (int r = 0; r < count.value; r++) {
      scaleRow(x + r * V, V, scale / total[r]);
      x[r * V + targets[first + r]] -= scale;
    }
  });
  return loss;
}

}  // namespace
