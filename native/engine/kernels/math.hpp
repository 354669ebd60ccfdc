// exp, sigmoid and tanh on vectors. The polynomials are minimax fits (Remez exchange) made for these ranges.
// Errors against double precision, measured by the tests: exp and sigmoid below 3e-7 relative, tanh below 3e-7
// relative. NaN stays NaN: a diverged model has to be noticed.
#pragma once
#include "simd.hpp"

namespace {

constexpr float kLog2E = 1.44269504f;

// e^x = 2^n · e^r with n = round(x / ln 2), |r| ≤ ln 2 / 2. Below −87.3 it stays at e^−87.3 ≈ 1e-38.
INLINE vf exponential(vf x) {
  x = maximum(minimum(x, splat(88.3f)), splat(-87.3f));
  // adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits
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

// 2^x. Below −126 it stays at 2^−126, above 126 at 2^126.
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

// AVX-512 divides a vector in as many cycles as an exponential takes; a Newton step on its estimate of 14 bits takes
// three
INLINE vf reciprocal(vf x) {
#if defined(__AVX512F__)
  const vf estimate = (vf)_mm512_rcp14_ps((__m512)x);
  return estimate + estimate * (1.0f - x * estimate);
#else
  return 1.0f / x;
#endif
}

INLINE vf sigmoid(vf x) { return reciprocal(1.0f + exponential(-x)); }

INLINE vf hyperbolicTangent(vf x) {
  const vf square = x * x;
  vf p = splat(-0.0057049871f);
  p = p * square + 0.0206390874f;
  p = p * square - 0.0537397151f;
  p = p * square + 0.1333144220f;
  p = p * square - 0.3333328194f;
  const vf nearZero = x + x * (square * p);
  const vf farther = 1.0f - 2.0f * reciprocal(exponential(x + x) + 1.0f);
  return select(square < 0.390625f, nearZero, farther);
}

}  // namespace
