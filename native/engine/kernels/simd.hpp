// SIMD vectors of W floats, in the vector extensions of GCC and clang, so that the kernels are written once for all
// instruction sets. Only loads and stores of partial vectors need intrinsics to be fast.
//
// These headers are compiled several times with different flags. Everything is static and no C++ library header is
// included, so that the linker cannot use a function compiled for a newer CPU in code for an older one.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
// Unrolls a whole loop over vectors in registers. If it stayed a loop, the vectors would go through memory.
#define UNROLL_FOR(...) _Pragma("GCC unroll 16") for (__VA_ARGS__)

namespace {

// Lanes of a vector of floats.
#if defined(__AVX512F__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

// Vectors of W floats, of W int32, of W uint32, and of W/2 uint64.
typedef float vf __attribute__((vector_size(W * 4)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef uint32_t vu __attribute__((vector_size(W * 4)));
typedef uint64_t vl __attribute__((vector_size(W * 4)));
typedef float vfUnaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

// A vector with x in all lanes.
INLINE vf splat(float x) { return x - vf{}; }
INLINE vf load(const float* p) { return *reinterpret_cast<const vfUnaligned*>(p); }
INLINE void store(float* p, vf x) { *reinterpret_cast<vfUnaligned*>(p) = x; }

// Loads or stores the first n floats of a vector, 0 ≤ n ≤ W. The other lanes load as 0.
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

// Lane by lane: yes if the mask is not 0, else no.
INLINE vf select(vi mask, vf yes, vf no) { return mask ? yes : no; }
// Maximum and minimum of each lane. If x is NaN, the result is x.
#if defined(__AVX512F__)
INLINE vf maximum(vf x, vf y) { return (vf)_mm512_max_ps((__m512)y, (__m512)x); }
INLINE vf minimum(vf x, vf y) { return (vf)_mm512_min_ps((__m512)y, (__m512)x); }
#elif defined(__AVX2__)
INLINE vf maximum(vf x, vf y) { return (vf)_mm256_max_ps((__m256)y, (__m256)x); }
INLINE vf minimum(vf x, vf y) { return (vf)_mm256_min_ps((__m256)y, (__m256)x); }
#else
INLINE vf maximum(vf x, vf y) { return x < y ? y : x; }
INLINE vf minimum(vf x, vf y) { return x > y ? y : x; }
#endif

#if defined(__AVX512F__)
INLINE vf squareRoot(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }
#elif defined(__AVX2__)
INLINE vf squareRoot(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }
#else
INLINE vf squareRoot(vf x) {
  return vf{__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]), __builtin_sqrtf(x[3])};
}
#endif

// a · b + c. With FMA it is rounded once. Where an expression has two products, or a branch between its product and its
// sum, this says which product is fused. The compiler could decide otherwise for another instruction set.
#if defined(__AVX512F__)
INLINE vf multiplyAdd(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif defined(__AVX2__)
INLINE vf multiplyAdd(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
INLINE vf multiplyAdd(vf a, vf b, vf c) { return a * b + c; }
#endif

// The vector 0, 1, 2 …
INLINE vi laneNumbers() {
  static constexpr int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vi lanes;
  memcpy(&lanes, numbers, sizeof lanes);
  return lanes;
}

// Sum and maximum of all lanes, computed by halving.
#if defined(__AVX2__)
INLINE float sumEight(__m256 x) {
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
#endif
#if defined(__AVX512F__)
INLINE float sumLanes(vf x) {
  return sumEight(_mm256_add_ps(_mm512_castps512_ps256((__m512)x), _mm512_extractf32x8_ps((__m512)x, 1)));
}
INLINE float maximumLane(vf x) { return _mm512_reduce_max_ps((__m512)x); }
#elif defined(__AVX2__)
INLINE float sumLanes(vf x) { return sumEight((__m256)x); }
INLINE float maximumLane(vf x) {
  __m128 h = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
  h = _mm_max_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}
#else
INLINE float sumLanes(vf x) { return (x[0] + x[2]) + (x[1] + x[3]); }
INLINE float maximumLane(vf x) {
  const float a = x[0] < x[2] ? x[2] : x[0], b = x[1] < x[3] ? x[3] : x[1];
  return a < b ? b : a;
}
#endif

// Multiplies the low 32 bits of each 64-bit lane by y: a 64-bit product.
#if defined(__AVX512F__)
INLINE vl multiplyLow(vl x, uint32_t y) { return (vl)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(y)); }
#elif defined(__AVX2__)
INLINE vl multiplyLow(vl x, uint32_t y) { return (vl)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(y)); }
#elif defined(__x86_64__)
INLINE vl multiplyLow(vl x, uint32_t y) { return (vl)_mm_mul_epu32((__m128i)x, _mm_set1_epi64x(y)); }
#else
INLINE vl multiplyLow(vl x, uint32_t y) { return (x & 0xffffffffu) * y; }
#endif

// ── bf16: the upper half of a float ──────────────────────────────────────────────────────────────────────────────

struct bf16 {
  uint16_t bits;
};
typedef uint16_t vh __attribute__((vector_size(W * 2)));
typedef uint16_t vhUnaligned __attribute__((vector_size(W * 2), aligned(2), may_alias));

// Rounds to the nearest bf16 number, ties to even. NaN stays NaN.
INLINE vf rounded(vf x) {
  const vu bits = (vu)x;
  const vf near = (vf)((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
  return x == x ? near : x;
}
#if defined(__AVX512F__)
// Converts the whole vector at once. The compiler would convert it in two halves.
INLINE vf load(const bf16* p) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
}
#else
INLINE vf load(const bf16* p) {
  return (vf)(__builtin_convertvector(*reinterpret_cast<const vhUnaligned*>(p), vu) << 16);
}
#endif
// Stores W floats rounded to bf16.
INLINE void store(bf16* p, vf x) {
  *reinterpret_cast<vhUnaligned*>(p) = __builtin_convertvector((vu)rounded(x) >> 16, vh);
}

// zipLow interleaves the lower halves of two vectors, zipHigh the upper halves: x0 y0 x1 y1 …
#if defined(__AVX512F__)
INLINE vf zipLow(vf x, vf y) {
  const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return (vf)_mm512_permutex2var_ps((__m512)x, order, (__m512)y);
}
INLINE vf zipHigh(vf x, vf y) {
  const __m512i order = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return (vf)_mm512_permutex2var_ps((__m512)x, order, (__m512)y);
}
#elif defined(__AVX2__)
INLINE vf zipLow(vf x, vf y) {
  return (vf)_mm256_permute2f128_ps(_mm256_unpacklo_ps((__m256)x, (__m256)y), _mm256_unpackhi_ps((__m256)x, (__m256)y),
                                    0x20);
}
INLINE vf zipHigh(vf x, vf y) {
  return (vf)_mm256_permute2f128_ps(_mm256_unpacklo_ps((__m256)x, (__m256)y), _mm256_unpackhi_ps((__m256)x, (__m256)y),
                                    0x31);
}
#else
INLINE vf zipLow(vf x, vf y) { return vf{x[0], y[0], x[1], y[1]}; }
INLINE vf zipHigh(vf x, vf y) { return vf{x[2], y[2], x[3], y[3]}; }
#endif

// Exchanges the lower and the upper half of a vector.
#if defined(__AVX512F__)
INLINE vf swapHalves(vf x) { return (vf)_mm512_shuffle_f32x4((__m512)x, (__m512)x, 0x4e); }
#elif defined(__AVX2__)
INLINE vf swapHalves(vf x) { return (vf)_mm256_permute2f128_ps((__m256)x, (__m256)x, 0x01); }
#else
INLINE vf swapHalves(vf x) { return vf{x[2], x[3], x[0], x[1]}; }
#endif

// Transposes a W × W matrix. Each round zips row i with row i + W / 2.
INLINE void transpose(vf rows[W]) {
  for (int round = 1; round < W; round *= 2) {
    vf zipped[W];
    for (int i = 0; i < W / 2; i++) {
      zipped[2 * i] = zipLow(rows[i], rows[i + W / 2]);
      zipped[2 * i + 1] = zipHigh(rows[i], rows[i + W / 2]);
    }
    for (int i = 0; i < W; i++) rows[i] = zipped[i];
  }
}

// Lane r of the result combines all lanes of rows[r]. Doing W rows at once takes a fraction of the steps of W separate
// reductions. Overwrites rows.
template <class Combine>
INLINE vf combineRows(vf rows[W], Combine combine) {
  UNROLL_FOR (int half = W / 2; half > 0; half /= 2)
    UNROLL_FOR (int i = 0; i < half; i++)
      rows[i] = combine(zipLow(rows[i], rows[i + half]), zipHigh(rows[i], rows[i + half]));
  return rows[0];
}
// Lane r of the result is the sum of rows[r].
INLINE vf sumRows(vf rows[W]) {
  return combineRows(rows, [](vf x, vf y) { return x + y; });
}
// Lane r of the result is the maximum of rows[r], which must not contain NaN.
INLINE vf maximumRows(vf rows[W]) {
  return combineRows(rows, [](vf x, vf y) { return maximum(x, y); });
}

// Calls f(index, lanes) over n elements: for whole vectors first, then for the rest.
template <class F>
INLINE void forVectors(long n, F f) {
  long i = 0;
  for (; i + W <= n; i += W) f(i, W);
  if (i < n) f(i, static_cast<int>(n - i));
}
// The same for the vectors at first, first + step, … only.
template <class F>
INLINE void forVectorsFrom(long first, long step, long n, F f) {
  long i = first;
  for (; i + W <= n; i += step) f(i, W);
  if (i < n) f(i, static_cast<int>(n - i));
}
// Load or store the first n lanes, 1 ≤ n ≤ W. Whole vectors take the fast path.
INLINE vf loadLanes(const float* p, int n) { return n == W ? load(p) : loadPart(p, n); }
INLINE void storeLanes(float* p, vf x, int n) {
  if (n == W)
    store(p, x);
  else
    storePart(p, x, n);
}
// Sets all lanes but the first n to 0.
INLINE vf zeroOtherLanes(vf x, int n) {
  if (n == W) return x;
  return select(laneNumbers() < n, x, vf{});
}

// ── sums along a row ─────────────────────────────────────────────────────────────────────────────────────────────

// A sum along a row has 16 lanes, whatever the instruction set: element i is added to lane i mod 16. They are added up
// by halving. So vectors of 8 and of 16 give the same bits. kParts vectors hold the lanes.
constexpr int kSumLanes = 16, kParts = kSumLanes / W;

// The first steps of halving, from kParts vectors to one. sumLanes() and sumRows() do the rest.
INLINE vf foldParts(const vf parts[kParts]) {
  vf sums[kParts];
  UNROLL_FOR (int p = 0; p < kParts; p++) sums[p] = parts[p];
  UNROLL_FOR (int half = kParts / 2; half > 0; half /= 2)
    UNROLL_FOR (int p = 0; p < half; p++) sums[p] += sums[p + half];
  return sums[0];
}

// Adds up a row of n elements. add(sum, index, lanes) returns `sum` with the elements of one vector added; the lanes
// beyond must not change. The result needs sumLanes() or sumRows().
template <class Add>
INLINE vf sumAlong(long n, Add add) {
  vf sums[kParts] = {};
  long i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    UNROLL_FOR (int p = 0; p < kParts; p++) sums[p] = add(sums[p], i + p * W, W);
  UNROLL_FOR (int p = 0; p < kParts; p++) {
    const long at = i + p * W, left = n - at;
    if (left > 0) sums[p] = add(sums[p], at, left < W ? static_cast<int>(left) : W);
  }
  return foldParts(sums);
}

// Lane r of the result is the sum along row r of n elements, or 0 from row `rows` on. add(sum, row, index, lanes) is as
// above.
template <class Add>
INLINE vf sumAlongRows(int rows, long n, Add add) {
  vf sums[W];
  for (int r = 0; r < W; r++)
    sums[r] = r < rows ? sumAlong(n, [&](vf sum, long i, int lanes) { return add(sum, r, i, lanes); }) : vf{};
  return sumRows(sums);
}

}  // namespace
