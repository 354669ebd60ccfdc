// The instructions of the GPU that the kernels use, each under one name. Compiled by NVRTC they are PTX; compiled by a
// C++ compiler with CUDA_SHIM defined, shim/shim.hpp emulates them on the CPU.
#pragma once
#ifdef CUDA_SHIM
#include "../shim/shim.hpp"
#else
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

extern __shared__ __align__(128) unsigned char sharedBytes[];

/// The dynamic shared memory of the block.
template <class T>
__device__ __forceinline__ T* sharedMemory() {
  return reinterpret_cast<T*>(sharedBytes);
}

__device__ __forceinline__ u32 sharedAddress(const void* p) { return static_cast<u32>(__cvta_generic_to_shared(p)); }

/// Starts a copy of 16 bytes from global to shared memory: the first `bytes` of them, then zeros. Both are aligned.
__device__ __forceinline__ void copyAsync16(void* to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(bytes));
}
/// The same for 4 bytes: `bytes` is 4 or 0.
__device__ __forceinline__ void copyAsync4(void* to, const void* from, int bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(bytes));
}
/// Ends a group of copies.
__device__ __forceinline__ void copyCommit() { asm volatile("cp.async.commit_group;"); }
/// Waits until at most N groups of this thread are unfinished.
template <int N>
__device__ __forceinline__ void copyWait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N));
}

/// Loads four 8×8 matrices of bf16. Lane i gives the address of row i % 8 of matrix i / 8; rows are aligned to 16
/// bytes.
__device__ __forceinline__ void loadMatrices(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(row)));
}
/// The same, each matrix transposed.
__device__ __forceinline__ void loadMatricesTransposed(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(row)));
}
/// Tensor cores: c (16,8) += a (16,16) · b (16,8), spread over the lanes of a warp as PTX defines for m16n8k16.
__device__ __forceinline__ void multiplyAdd(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Rounds to the nearest TF32, ties away from zero: the 19 high bits of a float.
__device__ __forceinline__ u32 toTf32(float x) {
  u32 rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}
/// Tensor cores: c (16,8) += a (16,8) · b (8,8) of TF32 numbers, spread over the lanes of a warp as PTX defines for
/// m16n8k8.
__device__ __forceinline__ void multiplyAddTf32(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Waits until the number at `flag`, which another block sets, is at least `least`. This thread then sees everything
/// that the other block wrote before it set the flag. After a barrier, all threads of the block see it.
__device__ __forceinline__ void waitForFlag(const u32* flag, u32 least) {
  u32 value;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(flag) : "memory");
  } while (value < least);
}
/// Sets a flag for other blocks. A block that sees the flag sees everything that this block wrote before its last
/// barrier.
__device__ __forceinline__ void setFlag(u32* flag, u32 value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(flag), "r"(value) : "memory");
}

/// The value of the lane whose number differs in the bits of `mask`. All lanes of the warp call it.
__device__ __forceinline__ float shuffleXor(float v, int mask) { return __shfl_xor_sync(0xffffffffu, v, mask); }
/// Waits for the lanes of the warp, and makes what they wrote to shared memory visible to each other.
__device__ __forceinline__ void syncWarp() { __syncwarp(); }
__device__ __forceinline__ u32 multiplyHigh(u32 a, u32 b) { return __umulhi(a, b); }
/// Rounds to the nearest bf16, ties to even. NaN stays NaN.
__device__ __forceinline__ u16 toBf16(float x) {
  u16 rounded;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(x));
  return rounded;
}
/// Two numbers rounded to bf16 in one word, the first in the low half.
__device__ __forceinline__ u32 packBf16(float low, float high) {
  u32 packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
#endif

/// Four numbers that are read from shared memory together.
struct alignas(16) Four {
  float x, y, z, w;
};

/// The sum over the lanes of a warp, in the same order in each lane.
__device__ __forceinline__ float warpSum(float v) {
  for (int mask = 16; mask > 0; mask /= 2) v += shuffleXor(v, mask);
  return v;
}
__device__ __forceinline__ float warpMax(float v) {
  for (int mask = 16; mask > 0; mask /= 2) v = fmaxf(v, shuffleXor(v, mask));
  return v;
}

/// The sum over all threads of the block, the same in each. scratch: a number for each warp. Ends with a barrier.
__device__ __forceinline__ float blockSum(float v, float* scratch) {
  const int warps = blockDim.x / 32;
  v = warpSum(v);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
  __syncthreads();
  float sum = 0;
  for (int w = 0; w < warps; w++) sum += scratch[w];
  __syncthreads();
  return sum;
}
__device__ __forceinline__ float blockMax(float v, float* scratch) {
  const int warps = blockDim.x / 32;
  v = warpMax(v);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
  __syncthreads();
  for (int w = 0; w < warps; w++) v = fmaxf(v, scratch[w]);
  __syncthreads();
  return v;
}

/// Number of this thread in a grid of one dimension.
__device__ __forceinline__ size_t threadNumber() { return static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
