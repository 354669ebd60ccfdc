// Runs CUDA kernels on the CPU, for tests. It defines what kernels/device.cuh defines for a GPU.
//
// Each thread of a block is a fiber. Blocks run one after the other, or all at the same time if they wait for each
// other. Barriers, shuffles, ldmatrix and mma are rendezvous: the shim checks that all threads of the block or all
// lanes of the warp come to the same one. Shared memory begins as NaN. The seed of shim::setSeed chooses the order of
// execution: 0 is the fastest; others draw it at random, so that one warp may run far ahead of another, and
// asynchronous copies land at once or only when they are waited for. A missing barrier then shows as a wrong result.
// With -fsanitize=address, accesses outside of buffers are found as well.
//
// It cannot show speed, bank conflicts or the memory model of a GPU.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "fibers.hpp"

typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define threadIdx (shim::now->thread)
#define blockIdx (shim::now->block->id)
#define blockDim (shim::blockSize)
#define gridDim (shim::gridSize)

template <class T>
inline T* sharedMemory() {
  return reinterpret_cast<T*>(shim::now->block->shared);
}

inline void __syncthreads() { shim::meetBlock(); }
inline float __uint_as_float(u32 bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
inline u32 __float_as_uint(float x) {
  u32 bits;
  memcpy(&bits, &x, 4);
  return bits;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline u32 multiplyHigh(u32 a, u32 b) { return static_cast<u32>((static_cast<u64>(a) * b) >> 32); }
inline u16 toBf16(float x) {
  const u32 bits = __float_as_uint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return static_cast<u16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
inline u32 toTf32(float x) {
  const u32 bits = __float_as_uint(x);
  return (bits & 0x7fffffffu) > 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
}
inline u32 packBf16(float low, float high) { return toBf16(low) | static_cast<u32>(toBf16(high)) << 16; }
template <class T>
inline T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
inline T max(T a, T b) {
  return a < b ? b : a;
}

// ── asynchronous copies ────────────────────────────────────────────────────────────────────────────────────────────

inline void copyAsync16(void* to, const void* from, int bytes) { shim::startCopy(to, from, bytes, 16); }
inline void copyAsync4(void* to, const void* from, int bytes) { shim::startCopy(to, from, bytes, 4); }
inline void copyCommit() { shim::commitCopies(); }
template <int N>
inline void copyWait() {
  shim::waitForCopies(N);
}

// ── operations of a warp ───────────────────────────────────────────────────────────────────────────────────────────

namespace shim {

#pragma GCC push_options
#pragma GCC optimize("O2")  // tests build the rest without optimization
struct Shuffle {
  float value, result;
  int mask;
};
inline void shuffleLanes(void** lanes) {
  for (int l = 0; l < 32; l++) {
    Shuffle& own = *static_cast<Shuffle*>(lanes[l]);
    own.result = static_cast<Shuffle*>(lanes[l ^ own.mask])->value;
  }
}
inline void nothing(void**) {}

struct MatrixLoad {
  u32* registers;
  const void* row;
};
template <bool transposed>
inline void loadOfLanes(void** lanes) {
  u16 m[4][8][8];
  for (int l = 0; l < 32; l++) {
    const void* row = static_cast<MatrixLoad*>(lanes[l])->row;
    if (reinterpret_cast<uintptr_t>(row) % 16) fail("ldmatrix of a row that is not aligned to 16 bytes");
    memcpy(m[l / 8][l % 8], row, 16);
  }
  for (int l = 0; l < 32; l++)
    for (int i = 0; i < 4; i++) {
      const int r = l / 4, c = l % 4 * 2;
      const u32 low = transposed ? m[i][c][r] : m[i][r][c], high = transposed ? m[i][c + 1][r] : m[i][r][c + 1];
      static_cast<MatrixLoad*>(lanes[l])->registers[i] = low | high << 16;
    }
}

struct Multiply {
  float* c;
  const u32* a;
  u32 b[2];
};
inline float half(u32 word, int which) { return __uint_as_float((which ? word >> 16 : word & 0xffffu) << 16); }
/// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type".
inline void multiplyOfLanes(void** lanes) {
  float a[16][16], b[16][8], c[16][8];
  const auto forLane = [&](auto f) {
    for (int l = 0; l < 32; l++) f(*static_cast<Multiply*>(lanes[l]), l / 4, l % 4 * 2);
  };
  forLane([&](Multiply& m, int group, int pair) {
    for (int e = 0; e < 2; e++) {
      a[group][pair + e] = half(m.a[0], e);
      a[group + 8][pair + e] = half(m.a[1], e);
      a[group][pair + 8 + e] = half(m.a[2], e);
      a[group + 8][pair + 8 + e] = half(m.a[3], e);
      b[pair + e][group] = half(m.b[0], e);
      b[pair + 8 + e][group] = half(m.b[1], e);
    }
    for (int i = 0; i < 4; i++) c[group + i / 2 * 8][pair + i % 2] = m.c[i];
  });
  for (int r = 0; r < 16; r++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 8; n++) c[r][n] += a[r][k] * b[k][n];
  forLane([&](Multiply& m, int group, int pair) {
    for (int i = 0; i < 4; i++) m.c[i] = c[group + i / 2 * 8][pair + i % 2];
  });
}
/// PTX ISA, "Matrix fragments for mma.m16n8k8" with .tf32.
inline void multiplyTf32OfLanes(void** lanes) {
  float a[16][8], b[8][8];
  for (int l = 0; l < 32; l++) {
    const Multiply& m = *static_cast<Multiply*>(lanes[l]);
    const int group = l / 4, pair = l % 4;
    for (int i = 0; i < 4; i++) {
      if (m.a[i] & 0x1fff || m.b[i % 2] & 0x1fff) fail("a factor of mma that is not rounded to TF32");
      a[group + i % 2 * 8][pair + i / 2 * 4] = __uint_as_float(m.a[i]);
      b[pair + i % 2 * 4][group] = __uint_as_float(m.b[i % 2]);
    }
  }
  for (int l = 0; l < 32; l++)
    for (int i = 0; i < 4; i++) {
      float& c = static_cast<Multiply*>(lanes[l])->c[i];
      for (int k = 0; k < 8; k++) c += a[l / 4 + i / 2 * 8][k] * b[k][l % 4 * 2 + i % 2];
    }
}
#pragma GCC pop_options

}  // namespace shim

inline float shuffleXor(float v, int mask) {
  shim::Shuffle s{v, 0, mask};
  shim::meetWarp(shim::shuffleLanes, &s);
  return s.result;
}
/// Other threads see a flag at once, with everything that was written before it. So the shim cannot find a missing
/// fence.
inline void waitForFlag(const u32* flag, u32 least) {
  while (*flag < least) shim::waitForFlag(flag, least);
}
inline void setFlag(u32* flag, u32 value) { *flag = value; }
inline void syncWarp() { shim::meetWarp(shim::nothing, nullptr); }
inline void loadMatrices(u32 (&r)[4], const void* row) {
  shim::MatrixLoad load{r, row};
  shim::meetWarp(shim::loadOfLanes<false>, &load);
}
inline void loadMatricesTransposed(u32 (&r)[4], const void* row) {
  shim::MatrixLoad load{r, row};
  shim::meetWarp(shim::loadOfLanes<true>, &load);
}
inline void multiplyAdd(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  shim::Multiply m{c, a, {b0, b1}};
  shim::meetWarp(shim::multiplyOfLanes, &m);
}
inline void multiplyAddTf32(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  shim::Multiply m{c, a, {b0, b1}};
  shim::meetWarp(shim::multiplyTf32OfLanes, &m);
}
