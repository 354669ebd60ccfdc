// Kernels that work a row at a time: LayerNorm, causal softmax, cross-entropy, and their gradients.
#pragma once
#include "../kernels.hpp"
#include "math.hpp"

namespace {

static void layerNorm(int rows, int C, const float* x, const float* gain, const float* bias, float* out, float* mean,
                      float* rstd) {
  for (int r = 0; r < rows; r++, x += C, out += C) {
    vf sum = {};
    forVectors(C, [&](long i, int n) { sum += loadLanes(x + i, n); });
    const float mu = sumLanes(sum) / C;
    vf squares = {};
    forVectors(C, [&](long i, int n) {
      const vf d = keepLanes(loadLanes(x + i, n) - mu, n);
      squares += d * d;
    });
    const float scale = 1.0f / __builtin_sqrtf(sumLanes(squares) / C + 1e-5f);
    forVectors(C, [&](long i, int n) {
      vf y = (loadLanes(x + i, n) - mu) * scale * loadLanes(gain + i, n);
      if (bias) y += loadLanes(bias + i, n);
      storeLanes(out + i, y, n);
    });
    if (mean) {
      mean[r] = mu;
      rstd[r] = scale;
    }
  }
}

// With y = (x − μ)·ρ and g = dout·gain: dx = ρ·(g − mean(g) − y·mean(g·y))
static void layerNormBackward(int rows, int C, const float* x, const float* gain, const float* mean, const float* rstd,
                              const float* dout, float* dx, float* dgain, float* dbias) {
  for (int r = 0; r < rows; r++, x += C, dout += C, dx += C) {
    const float mu = mean[r], rho = rstd[r];
    vf sum = {}, product = {};
    forVectors(C, [&](long i, int n) {
      const vf d = loadLanes(dout + i, n);
      const vf y = (loadLanes(x + i, n) - mu) * rho;
      const vf g = d * loadLanes(gain + i, n);
      sum += g;
      product += g * y;
      storeLanes(dgain + i, loadLanes(dgain + i, n) + d * y, n);
      if (dbias) storeLanes(dbias + i, loadLanes(dbias + i, n) + d, n);
    });
    const float meanG = sumLanes(sum) / C, meanGy = sumLanes(product) / C;
    forVectors(C, [&](long i, int n) {
      const vf y = (loadLanes(x + i, n) - mu) * rho;
      const vf g = loadLanes(dout + i, n) * loadLanes(gain + i, n);
      storeLanes(dx + i, loadLanes(dx + i, n) + (g - meanG - y * meanGy) * rho, n);
    });
  }
}

static void addColumnSums(int rows, int N, const float* x, long stride, float* sums) {
  forVectors(N, [&](long j, int n) {
    vf sum = loadLanes(sums + j, n);
    for (int r = 0; r < rows; r++) sum += loadLanes(x + r * stride + j, n);
    storeLanes(sums + j, sum, n);
  });
}

INLINE float rowMaximum(const float* x, int n) {
  float largest = x[0];
  vf most = splat(x[0]);
  int i = 0;
  for (; i + W <= n; i += W) most = maximum(load(x + i), most);
  largest = maximumLane(most);
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// e^((x − shift)·scale) in place for n elements; returns the sum
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

INLINE void scaleRow(float* x, int n, float factor) {
  forVectors(n, [&](long i, int lanes) { storeLanes(x + i, loadLanes(x + i, lanes) * factor, lanes); });
}

static double crossEntropy(int rows, int V, float* logits, const uint32_t* targets, float scale) {
  double loss = 0;
  for (int r = 0; r < rows; r++, logits += V) {
    const float largest = rowMaximum(logits, V);
    const float chosen = logits[targets[r]];
    const float total = exponentials(logits, V, largest, 1.0f);
    loss += static_cast<double>(largest) + __builtin_log(total) - chosen;
    if (scale != 0) {
      scaleRow(logits, V, scale / total);
      logits[targets[r]] -= scale;
    }
  }
  return loss;
}

}  // namespace
