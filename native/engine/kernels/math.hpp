// exp, sigmoid and tanh on vectors. The polynomials are minimax fits (Remez exchange) for the ranges given here. The
// tests measure the errors against double precision: below 3e-7 relative for exp, sigmoid and tanh. NaN stays NaN, so
// that a diverged model is noticed.
#pragma once
#include "simd.hpp"

namespace {

constexpr float kLog2E = 1.44269504f;

// e^x = 2^n · e^r with n = round(x / ln 2), |r| ≤ ln 2 / 2. For x below −87.3 the result is e^−87.3 ≈ 1e-38.
INLINE vf exponential(vf x) {
  x = maximum(minimum(x, splat(88.3f)), splat(-87.3f));
  // Adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits.
  const vf shifted = x * kLog2E + 12582912.0f;
  const vf n = shifted - 12582912.0f;
  const vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  vf p = splat(0.008290315047f);
  p = p * r + 0.04189793020f;
  p = p * r + 0.1666763574f;
  p = p * r + 0.4999915063f;
  p = p * r + 0.9999997020f;
  p = p * r + 1.0f;
  return (vf)((vi)p + ((vi)shifted << 23));
}

// 2^x. Below −126 the result is 2^−126, above 126 it is 2^126.
INLINE vf powerOfTwo(vf x) {
  x = maximum(minimum(x, splat(126.0f)), splat(-126.0f));
  const vf shifted = x + 12582912.0f;
  const vf r = x - (shifted - 12582912.0f);
  vf p = splat(0.001326472731f);
  p = p * r + 0.009671512991f;
  p = p * r + 0.05550733581f;
  p = p * r + 0.2402224243f;
  p = p * r + 0.6931470037f;
  p = p * r + 1.0f;
  return (vf)((vi)p + ((vi)shifted << 23));
}

// σ(x) = 1/(1 + e^−x)
INLINE vf sigmoid(vf x) { return 1.0f / (1.0f + exponential(-x)); }

// tanh(x): an odd polynomial for |x| < 0.625, else 1 − 2/(e^2x + 1).
INLINE vf hyperbolicTangent(vf x) {
  const vf square = x * x;
  vf p = splat(-0.0057049871f);
  p = p * square + 0.0206390874f;
  p = p * square - 0.0537397151f;
  p = p * square + 0.1333144220f;
  p = p * square - 0.3333328194f;
  const vf nearZero = x + x * (square * p);
  const vf farther = 1.0f - 2.0f * (1.0f / (exponential(x + x) + 1.0f));
  return select(square < 0.390625f, nearZero, farther);
}

}  // namespace
