// Rotary position embedding (Su et al. 2021): rotates pairs of numbers of each query and key by an angle that grows
// with the position. Dimension i of a head of width D is paired with i + D/2, as in GPT-NeoX and Llama.
#pragma once
#include "simd.hpp"

namespace {

// Rotates heads of one vector (D = W): both halves of a head at once.
static void rotateVectors(int rows, int heads, const float* cosines, const float* sines, float direction, float* x,
                          long stride) {
  constexpr int half = W / 2;
  for (int r = 0; r < rows; r++, cosines += half, sines += half) {
    const vf cosine = loadPart(cosines, half), c = cosine + swapHalves(cosine);
    const vf sine = loadPart(sines, half) * direction, s = swapHalves(sine) - sine;
    for (int h = 0; h < heads; h++) {
      float* at = x + r * stride + h * W;
      const vf v = load(at);
      store(at, multiplyAdd(v, c, swapHalves(v) * s));
    }
  }
}

// See Kernels::rotate. The cosines and sines of a row stay in registers for all its heads.
static void rotate(int rows, int heads, int D, const float* cosines, const float* sines, float direction, float* x,
                   long stride) {
  if (D == W) return rotateVectors(rows, heads, cosines, sines, direction, x, stride);
  const int half = D / 2;
  for (int r = 0; r < rows; r++)
    forVectors(half, [&](long i, int n) {
      const vf c = loadLanes(cosines + static_cast<long>(r) * half + i, n);
      const vf s = loadLanes(sines + static_cast<long>(r) * half + i, n) * direction;
      float* at = x + r * stride + i;
      for (int h = 0; h < heads; h++, at += D) {
        const vf first = loadLanes(at, n), second = loadLanes(at + half, n);
        storeLanes(at, multiplyAdd(first, c, -(second * s)), n);
        storeLanes(at + half, multiplyAdd(second, c, first * s), n);
      }
    });
}

}  // namespace
