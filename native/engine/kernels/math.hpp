// exp, sigmoid and tanh on vectors. The polynomials are minimax fits (Remez exchange) made for these ranges.
// Errors against double precision, measured by the tests: exp and sigmoid below 3e-7 relative, tanh below 3e-7 relative.
// NaN stays NaN: a diverged model has to be noticed.
#pragma once
#include "simd.hpp"

namespace {

// e^x = 2^n · e^r with n = round(x / ln 2), |r| ≤ ln 2 / 2. Below −87.3 it stays at e^−87.3 ≈ 1e-38.
INLINE vf exponential(vf x) {
  x = maximum(minimum(x, splat(88.3f)), splat(-87.3f));
  // adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits
  const vf shifted = x * 1.44269504f + 12582912.0f;
  const vf n = shifted - 12582912.0f;
  const vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  vf p = splat(0.0013814599554f);
  p = p * r + 0.0083687168753f;
  p = p * r + 0.0416683880310f;
  p = p * r + 0.1666652063178f;
  p = p * r + 0.4999999344784f;
  p = p * (r * r) + r + 1.0f;
  return (vf)((vi)p + ((vi)shifted << 23));
}

INLINE vf sigmoid(vf x) { return 1.0f / (1.0f + exponential(-x)); }

INLINE vf hyperbolicTangent(vf x) {
  const vf square = x * x;
  vf p = splat(-0.0057049871f);
  p = p * square + 0.0206390874f;
  p = p * square - 0.0537397151f;
  p = p * square + 0.1333144220f;
  p = p * square - 0.3333328194f;
  const vf nearZero = x + x * (square * p);
  const vf farther = 1.0f - 2.0f / (exponential(x + x) + 1.0f);
  return select(square < 0.390625f, nearZero, farther);
}

}  // namespace
