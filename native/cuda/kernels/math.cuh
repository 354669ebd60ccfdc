// Functions of one number, and the random numbers of dropout masks.
#pragma once
#include "device.cuh"

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/// GELU in its tanh form (Hendrycks and Gimpel 2016): x·σ(2u) with u = √(2/π)·(x + 0.044715·x³).
constexpr float kGelu = 1.5957691216f;        // 2·√(2/π)
constexpr float kGeluCubic = 0.07135481627f;  // 2·√(2/π)·0.044715

__device__ __forceinline__ float gelu(float x) { return x * sigmoid(x * (kGelu + kGeluCubic * x * x)); }
/// The derivative of gelu at x.
__device__ __forceinline__ float geluSlope(float x) {
  const float square = x * x, s = sigmoid(x * (kGelu + kGeluCubic * square)), y = x * s;
  return s + (y - y * s) * (kGelu + 3 * kGeluCubic * square);
}

/// Everything that a dropout mask depends on, except the element. `step` points to the seed and the number of the
/// step: they change from step to step while a plan stays the same. threshold 0: no dropout.
struct Mask {
  const u32* step;  // seed, step
  u32 threshold;    // p · 65536
  u32 site;
};

/// Philox-4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011).
__device__ __forceinline__ void philox(u32 (&c)[4], u32 k0, u32 k1) {
#pragma unroll 1
  for (int round = 0; round < 10; round++) {
    const u32 high0 = multiplyHigh(0xD2511F53u, c[0]), low0 = 0xD2511F53u * c[0];
    const u32 high1 = multiplyHigh(0xCD9E8D57u, c[2]), low1 = 0xCD9E8D57u * c[2];
    c[0] = high1 ^ c[1] ^ k0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ k1;
    c[3] = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// The masks are the same as in the native engine (native/engine/kernels/elements.hpp): a chunk of 128 elements takes 16
// counters of 8 numbers each. Half h of word w of counter i decides about element 32·w + 16·h + i.

/// The eight 16-bit numbers of counter `counter` (0 … 15) of a chunk, as four words.
__device__ __forceinline__ void maskWords(const Mask& m, u32 chunk, u32 counter, u32 row, u32 sequence,
                                          u32 (&words)[4]) {
  words[0] = chunk * 16 + counter;
  words[1] = row;
  words[2] = sequence;
  words[3] = m.site;
  philox(words, m.step[0], m.step[1]);
}
/// The factor of kept elements.
__device__ __forceinline__ float keptScale(u32 threshold) { return 65536.0f / (65536 - threshold); }

/// The factor of element `element` of a row: 0 or keptScale.
__device__ __forceinline__ float maskFactor(const Mask& m, u32 element, u32 row, u32 sequence) {
  u32 words[4];
  maskWords(m, element / 128, element % 16, row, sequence, words);
  // Chosen without an index, which would put the words into memory.
  const u32 place = element % 128 / 16, low = place & 2 ? words[1] : words[0], high = place & 2 ? words[3] : words[2];
  const u32 word = place & 4 ? high : low, number = place & 1 ? word >> 16 : word & 0xffffu;
  return number >= m.threshold ? keptScale(m.threshold) : 0.0f;
}
