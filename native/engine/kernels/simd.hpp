// Vectors of floats as wide as the instruction set has them, in GCC's vector extensions (clang has them too), so that the
// kernels are written once. Only loads and stores of a part of a vector need intrinsics to be fast.
//
// These headers are compiled several times with different flags: everything is static, and nothing of the C++ library is
// included, so that no function compiled for a newer CPU can be linked into code that runs on an older one.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

namespace {

#if defined(__AVX512F__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

typedef float vf __attribute__((vector_size(W * 4)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef float vfUnaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

INLINE vf splat(float x) { return x - vf{}; }
INLINE vf load(const float* p) { return *reinterpret_cast<const vfUnaligned*>(p); }
INLINE void store(float* p, vf x) { *reinterpret_cast<vfUnaligned*>(p) = x; }

// the first n of a vector, 0 ≤ n ≤ W; the rest reads as 0
#if defined(__AVX512F__)
INLINE __mmask16 firstLanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }
INLINE vf loadPart(const float* p, int n) { return (vf)_mm512_maskz_loadu_ps(firstLanes(n), p); }
INLINE void storePart(float* p, vf x, int n) { _mm512_mask_storeu_ps(p, firstLanes(n), (__m512)x); }
#elif defined(__AVX2__)
INLINE __m256i firstLanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf loadPart(const float* p, int n) { return (vf)_mm256_maskload_ps(p, firstLanes(n)); }
INLINE void storePart(float* p, vf x, int n) { _mm256_maskstore_ps(p, firstLanes(n), (__m256)x); }
#else
INLINE vf loadPart(const float* p, int n) {
  vf x = {};
  for (int i = 0; i < n; i++) x[i] = p[i];
  return x;
}
INLINE void storePart(float* p, vf x, int n) {
  for (int i = 0; i < n; i++) p[i] = x[i];
}
#endif

INLINE vf select(vi mask, vf yes, vf no) { return mask ? yes : no; }
// the first operand where it is NaN
INLINE vf maximum(vf x, vf y) { return x < y ? y : x; }
INLINE vf minimum(vf x, vf y) { return x > y ? y : x; }

// lanes added and compared in halves: the same order on every instruction set of the same width
INLINE float sumLanes(vf x) {
  float lane[W];
  memcpy(lane, &x, sizeof lane);
  for (int n = W / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++) lane[i] += lane[i + n];
  return lane[0];
}
INLINE float maximumLane(vf x) {
  float lane[W];
  memcpy(lane, &x, sizeof lane);
  for (int n = W / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++) lane[i] = lane[i] < lane[i + n] ? lane[i + n] : lane[i];
  return lane[0];
}

// f(index, lanes) over n elements: whole vectors, then the rest
template <class F>
INLINE void forVectors(long n, F f) {
  long i = 0;
  for (; i + W <= n; i += W) f(i, W);
  if (i < n) f(i, static_cast<int>(n - i));
}
INLINE vf loadLanes(const float* p, int n) { return n == W ? load(p) : loadPart(p, n); }
INLINE void storeLanes(float* p, vf x, int n) {
  if (n == W)
    store(p, x);
  else
    storePart(p, x, n);
}
// zeros past the first n lanes
INLINE vf keepLanes(vf x, int n) {
  if (n == W) return x;
  vi lane;
  for (int i = 0; i < W; i++) lane[i] = i;
  return select(lane < n, x, vf{});
}

}  // namespace
