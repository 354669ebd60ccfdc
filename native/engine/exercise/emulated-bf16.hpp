// The instructions of AVX512_BF16 and AMX in plain C++, as the Intel SDM (vol. 2) defines them, under the names of
// their intrinsics. With them the sanitizers can check the kernels that use these instructions on any CPU with AVX-512
// (scripts/sanitize.ts). Not part of the addon.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace emulated {

typedef uint32_t Lanes __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));

inline uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float floatOf(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Rounds to the nearest bf16 number, ties to even. Denormals become 0, NaN stays NaN.
inline uint32_t bf16(float x) {
  const uint32_t bits = bitsOf(x);
  if (std::isnan(x)) return bits >> 16 | 0x40;
  if (std::fpclassify(x) == FP_SUBNORMAL) return bits >> 16 & 0x8000;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/// sum + the products of both numbers of a pair of a and of b, the upper ones first
inline float addPair(float sum, uint32_t a, uint32_t b) {
  sum = std::fma(floatOf(a & 0xffff0000), floatOf(b & 0xffff0000), sum);
  return std::fma(floatOf(a << 16), floatOf(b << 16), sum);
}

/// The numbers of `low` come first.
inline Lanes roundBoth(Floats high, Floats low) {
  Lanes pairs;
  for (int i = 0; i < 16; i++) {
    const Floats& from = i < 8 ? low : high;
    pairs[i] = bf16(from[2 * i % 16]) | bf16(from[2 * i % 16 + 1]) << 16;
  }
  return pairs;
}

/// vdpbf16ps: adds the products of pairs to each lane.
inline Floats dot(Floats sum, Lanes a, Lanes b) {
  for (int i = 0; i < 16; i++) sum[i] = addPair(sum[i], a[i], b[i]);
  return sum;
}

/// A tile register: rows of up to 64 bytes.
struct Tile {
  int rows, bytes;
  uint32_t numbers[16][16];
};
inline thread_local Tile tiles[8];

/// ldtilecfg: sets the rows and the bytes per row of the tiles.
inline void configure(const void* config) {
  const uint8_t* from = static_cast<const uint8_t*>(config);
  for (int t = 0; t < 8; t++) tiles[t] = {from[48 + t], from[16 + 2 * t] | from[17 + 2 * t] << 8, {}};
}
inline void release() { std::memset(tiles, 0, sizeof tiles); }
inline void zero(int t) { std::memset(tiles[t].numbers, 0, sizeof tiles[t].numbers); }
inline void load(int t, const void* from, long stride) {
  for (int i = 0; i < tiles[t].rows; i++)
    std::memcpy(tiles[t].numbers[i], static_cast<const char*>(from) + i * stride, tiles[t].bytes);
}
inline void store(int t, void* to, long stride) {
  for (int i = 0; i < tiles[t].rows; i++)
    std::memcpy(static_cast<char*>(to) + i * stride, tiles[t].numbers[i], tiles[t].bytes);
}
/// tdpbf16ps: sums += a · b, pair by pair.
inline void multiply(int sums, int a, int b) {
  for (int i = 0; i < tiles[sums].rows; i++)
    for (int j = 0; j < tiles[sums].bytes / 4; j++) {
      float sum = floatOf(tiles[sums].numbers[i][j]);
      for (int k = 0; k < tiles[b].rows; k++) sum = addPair(sum, tiles[a].numbers[i][k], tiles[b].numbers[k][j]);
      tiles[sums].numbers[i][j] = bitsOf(sum);
    }
}

}  // namespace emulated

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _mm512_cvtne2ps_pbh(high, low) emulated::roundBoth((emulated::Floats)(high), (emulated::Floats)(low))
#define _mm512_dpbf16_ps(sum, a, b) emulated::dot((emulated::Floats)(sum), (emulated::Lanes)(a), (emulated::Lanes)(b))
#define _tile_loadconfig emulated::configure
#define _tile_release emulated::release
#define _tile_zero emulated::zero
#define _tile_loadd emulated::load
#define _tile_stored emulated::store
#define _tile_dpbf16ps emulated::multiply
