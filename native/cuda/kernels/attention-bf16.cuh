// Causal attention and its gradient on tensor cores, for heads of D numbers, D a multiple of 8. attention.cuh and
// attention-backward.cuh describe the mathematics, the shapes and the parts of wide heads. Here q, k, v and dout are
// bf16, and softmax weights are rounded to bf16 before they are multiplied. Sums are fp32.
//
// A block has 4 warps, and each warp owns 16 of the block's 64 rows. Scores stay in registers: result fragments of
// mma.m16n8k16, packed in pairs, are fragments of the factor A of the next product.
#pragma once
#include "attention.cuh"
#include "products.cuh"

constexpr int kRowsOfBlock = 64;
constexpr int kMaxFragments = kPart / 8;

/// Row stride of a tile with D columns: D rounded up to a multiple of 16, plus 8 numbers to avoid bank conflicts.
__device__ __forceinline__ int halfStride(int D) { return (D + 15) / 16 * 16 + 8; }

/// Starts copying rows `first` … of a matrix (T,D) to a tile of `rows` rows. Zeros beyond T and D.
template <int rows>
__device__ __forceinline__ void copyHalfRows(u16* tile, int D, const u16* from, int ld, int first, int T) {
  const int chunks = (D + 15) / 16 * 2, stride = halfStride(D);
  for (int i = threadIdx.x; i < rows * chunks; i += 128) {
    const int r = i / chunks, c = i % chunks * 8;
    const bool exists = first + r < T && c < D;
    copyAsync16(tile + r * stride + c, exists ? from + static_cast<size_t>(first + r) * ld + c : from, exists ? 16 : 0);
  }
}

/// scores (16, 8·n) of a warp += own · otherᵀ over D columns. own: 16 rows; other: 8·n rows.
template <int n>
__device__ __forceinline__ void multiplyRows(float (&scores)[n][4], const u16* own, const u16* other, int D) {
  const int lane = threadIdx.x % 32, stride = halfStride(D);
  for (int k = 0; k < D; k += 16) {
    u32 a[4];
    loadMatrices(a, own + lane % 16 * stride + k + lane / 16 * 8);
#pragma unroll
    for (int j = 0; j < n; j += 2) {
      u32 b[4];
      loadMatrices(b, other + (j * 8 + lane / 16 * 8 + lane % 8) * stride + k + lane / 8 % 2 * 8);
      multiplyAdd(scores[j], a, b[0], b[1]);
      multiplyAdd(scores[j + 1], a, b[2], b[3]);
    }
  }
}

/// sums (16,D) of a warp += scores (16, 8·n) · rows (8·n, D).
template <int n>
__device__ __forceinline__ void addRowProducts(float (&sums)[kMaxFragments][4], const float (&scores)[n][4],
                                               const u16* rows, int D) {
  const int lane = threadIdx.x % 32, stride = halfStride(D);
#pragma unroll
  for (int k = 0; k < n; k += 2) {
    const u32 a[4] = {packBf16(scores[k][0], scores[k][1]), packBf16(scores[k][2], scores[k][3]),
                      packBf16(scores[k + 1][0], scores[k + 1][1]), packBf16(scores[k + 1][2], scores[k + 1][3])};
#pragma unroll
    for (int j = 0; j < kMaxFragments; j += 2) {
      if (j * 8 >= D) continue;
      u32 b[4];
      loadMatricesTransposed(b, rows + (k * 8 + lane % 16) * stride + j * 8 + lane / 16 * 8);
      multiplyAdd(sums[j], a, b[0], b[1]);
      multiplyAdd(sums[j + 1], a, b[2], b[3]);
    }
  }
}

/// Where this lane's number h of fragment j is within the warp's rows and columns.
__device__ __forceinline__ int rowOf(int h) { return threadIdx.x % 32 / 4 + h / 2 * 8; }
__device__ __forceinline__ int columnOf(int j, int h) { return j * 8 + threadIdx.x % 4 * 2 + h % 2; }

/// Stores sums (16,D), times a factor for each half of the rows, as rows `first` … of a matrix (T,·).
__device__ __forceinline__ void storeFragments(const float (&sums)[kMaxFragments][4], const float (&factors)[2],
                                               int first, int T, int D, float* to, int ld, u16* rounded, int ldr) {
#pragma unroll
  for (int j = 0; j < kMaxFragments; j++)
#pragma unroll
    for (int h = 0; h < 4; h++) {
      const int row = first + rowOf(h), d = columnOf(j, h);
      if (row >= T || d >= D) continue;
      const float value = sums[j][h] * factors[h / 2];
      if (to) to[static_cast<size_t>(row) * ld + d] = value;
      if (rounded) rounded[static_cast<size_t>(row) * ldr + d] = toBf16(value);
    }
}

/// See `attention`. qkv (B,T,3C) in bf16 with the stride ldq. Grid: (T/64 · parts, heads, B), 128 threads. Shared
/// memory: three tiles of 64 rows.
extern "C" __global__ void __launch_bounds__(128)
    attentionBf16(int T, int C, int D, float scale, const u16* qkv, int ldq, float* out, u16* rounded, int ldr,
                  float* logSums, const u32* step, u32 threshold, u32 site, u32 firstSequence) {
  constexpr int n = 8;  // fragments of a tile of 64 keys
  const Mask mask{step, threshold, site};
  const int parts = partsOf(D), part = blockIdx.x % parts, width = widthOfPart(D, part);
  const int heads = gridDim.y, head = blockIdx.y, b = blockIdx.z, query0 = blockIdx.x / parts * kRowsOfBlock;
  const int tile = kRowsOfBlock * halfStride(min(D, kPart)), warp = threadIdx.x / 32;
  u16 *q = sharedMemory<u16>(), *k = q + tile, *v = k + tile;
  const u16* from = qkv + static_cast<size_t>(b) * T * ldq + head * D;
  const int first = query0 + warp * 16;
  float sums[kMaxFragments][4] = {}, most[2], total[2] = {};
  most[0] = most[1] = __uint_as_float(0xff800000u);  // −∞
  for (int key0 = 0; key0 <= query0; key0 += kRowsOfBlock) {
    float scores[n][4] = {};
#pragma unroll 1
    for (int i = 1; i <= parts; i++) {
      const int p = (part + i) % parts, columns = widthOfPart(D, p);
      __syncthreads();
      if (key0 == 0 || parts > 1) copyHalfRows<kRowsOfBlock>(q, columns, from + p * kPart, ldq, query0, T);
      copyHalfRows<kRowsOfBlock>(k, columns, from + C + p * kPart, ldq, key0, T);
      if (p == part) copyHalfRows<kRowsOfBlock>(v, columns, from + 2 * C + p * kPart, ldq, key0, T);
      copyCommit();
      copyWait<0>();
      __syncthreads();
      multiplyRows<n>(scores, q + warp * 16 * halfStride(columns), k, columns);
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int query = first + rowOf(2 * half);
      float largest = __uint_as_float(0xff800000u), sum = 0;
#pragma unroll
      for (int j = 0; j < n; j++)
#pragma unroll
        for (int h = 2 * half; h < 2 * half + 2; h++) {
          scores[j][h] = key0 + columnOf(j, h) <= query ? scores[j][h] * scale : __uint_as_float(0xff800000u);
          largest = fmaxf(largest, scores[j][h]);
        }
      // Four lanes share a row. Each query sees the first key of each tile, so the maximum is finite.
      largest = fmaxf(largest, shuffleXor(largest, 1));
      largest = fmaxf(largest, shuffleXor(largest, 2));
      largest = fmaxf(largest, most[half]);
      const float rescale = expf(most[half] - largest);
      most[half] = largest;
#pragma unroll
      for (int j = 0; j < n; j++)
#pragma unroll
        for (int h = 2 * half; h < 2 * half + 2; h++) {
          const int key = key0 + columnOf(j, h);
          const float weight = expf(scores[j][h] - largest);
          sum += weight;
          scores[j][h] = threshold && key <= query && query < T
                             ? weight * attentionMask(mask, T, head, firstSequence + b, query, key)
                             : weight;
        }
      sum += shuffleXor(sum, 1);
      sum += shuffleXor(sum, 2);
      total[half] = total[half] * rescale + sum;
#pragma unroll
      for (int j = 0; j < kMaxFragments; j++)
#pragma unroll
        for (int h = 2 * half; h < 2 * half + 2; h++) sums[j][h] *= rescale;
    }
    addRowProducts<n>(sums, scores, v, width);
  }
  const size_t row = static_cast<size_t>(b) * T;
  const int column = head * D + part * kPart;
  storeFragments(sums, {1 / total[0], 1 / total[1]}, first, T, width, out ? out + row * C + column : nullptr, C,
                 rounded ? rounded + row * ldr + column : nullptr, ldr);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int query = first + rowOf(2 * half);
    if (threadIdx.x % 4 == 0 && query < T && part == 0)
      logSums[(static_cast<size_t>(b) * heads + head) * T + query] = most[half] + logf(total[half]);
  }
}

/// See attentionBackwardKeys. Here qkv has the stride ldq and dout (B,T,C) the stride ldd; both are bf16. Grid: (T/64 ·
/// parts, heads, B), 128 threads. Shared memory: two tiles of 64 rows, two of 32, and 64 numbers.
extern "C" __global__ void __launch_bounds__(128)
    attentionBackwardKeysBf16(int T, int C, int D, float scale, const u16* qkv, int ldq, const u16* dout, int ldd,
                              const float* logSums, const float* delta, float* dqkv, u16* rounded, int ldr,
                              const u32* step, u32 threshold, u32 site, u32 firstSequence) {
  constexpr int n = kRows / 8;
  const Mask mask{step, threshold, site};
  const int parts = partsOf(D), part = blockIdx.x % parts, width = widthOfPart(D, part);
  const int heads = gridDim.y, head = blockIdx.y, b = blockIdx.z, key0 = blockIdx.x / parts * kRowsOfBlock;
  const int stride = halfStride(min(D, kPart)), warp = threadIdx.x / 32;
  u16 *k = sharedMemory<u16>(), *v = k + kRowsOfBlock * stride, *q = v + kRowsOfBlock * stride, *d = q + kRows * stride;
  float *logSumOf = reinterpret_cast<float*>(d + kRows * stride), *deltaOf = logSumOf + kRows;
  const u16* from = qkv + static_cast<size_t>(b) * T * ldq + head * D;
  const u16* dfrom = dout + static_cast<size_t>(b) * T * ldd + head * D;
  const size_t statistics = (static_cast<size_t>(b) * heads + head) * T;
  const int first = key0 + warp * 16;
  float dk[kMaxFragments][4] = {}, dv[kMaxFragments][4] = {};
  for (int query0 = key0; query0 < T; query0 += kRows) {
    float weights[n][4] = {}, slopes[n][4] = {};
#pragma unroll 1
    for (int i = 1; i <= parts; i++) {
      const int p = (part + i) % parts, columns = widthOfPart(D, p);
      __syncthreads();
      if (query0 == key0 || parts > 1) {
        copyHalfRows<kRowsOfBlock>(k, columns, from + C + p * kPart, ldq, key0, T);
        copyHalfRows<kRowsOfBlock>(v, columns, from + 2 * C + p * kPart, ldq, key0, T);
      }
      copyHalfRows<kRows>(q, columns, from + p * kPart, ldq, query0, T);
      copyHalfRows<kRows>(d, columns, dfrom + p * kPart, ldd, query0, T);
      copyCommit();
      if (threadIdx.x < kRows) {
        const bool exists = query0 + static_cast<int>(threadIdx.x) < T;
        logSumOf[threadIdx.x] = exists ? logSums[statistics + query0 + threadIdx.x] : 0;
        deltaOf[threadIdx.x] = exists ? delta[statistics + query0 + threadIdx.x] : 0;
      }
      copyWait<0>();
      __syncthreads();
      multiplyRows<n>(weights, k + warp * 16 * halfStride(columns), q, columns);
      multiplyRows<n>(slopes, v + warp * 16 * halfStride(columns), d, columns);
    }
#pragma unroll
    for (int j = 0; j < n; j++)
#pragma unroll
      for (int h = 0; h < 4; h++) {
        const int key = first + rowOf(h), column = columnOf(j, h), query = query0 + column;
        const bool visible = query < T && key <= query;
        const float p = visible ? expf(weights[j][h] * scale - logSumOf[column]) : 0.0f;
        const float factor = threshold && visible ? attentionMask(mask, T, head, firstSequence + b, query, key) : 1.0f;
        weights[j][h] = p * factor;
        slopes[j][h] = p * (slopes[j][h] * factor - deltaOf[column]) * scale;
      }
    addRowProducts<n>(dv, weights, d, width);
    addRowProducts<n>(dk, slopes, q, width);
  }
  const int column = head * D + part * kPart;
  float* to = dqkv + static_cast<size_t>(b) * T * 3 * C + column;
  u16* roundedTo = rounded ? rounded + static_cast<size_t>(b) * T * ldr + column : nullptr;
  storeFragments(dk, {1, 1}, first, T, width, to + C, 3 * C, roundedTo ? roundedTo + C : nullptr, ldr);
  storeFragments(dv, {1, 1}, first, T, width, to + 2 * C, 3 * C, roundedTo ? roundedTo + 2 * C : nullptr, ldr);
}

/// See attentionBackwardQueries; arguments as above. Shared memory: two tiles of 64 rows and two of 32.
extern "C" __global__ void __launch_bounds__(128)
    attentionBackwardQueriesBf16(int T, int C, int D, float scale, const u16* qkv, int ldq, const u16* dout, int ldd,
                                 const float* logSums, const float* delta, float* dqkv, u16* rounded, int ldr,
                                 const u32* step, u32 threshold, u32 site, u32 firstSequence) {
  constexpr int n = kRows / 8;
  const Mask mask{step, threshold, site};
  const int parts = partsOf(D), part = blockIdx.x % parts, width = widthOfPart(D, part);
  const int heads = gridDim.y, head = blockIdx.y, b = blockIdx.z, query0 = blockIdx.x / parts * kRowsOfBlock;
  const int stride = halfStride(min(D, kPart)), warp = threadIdx.x / 32;
  u16 *q = sharedMemory<u16>(), *d = q + kRowsOfBlock * stride, *k = d + kRowsOfBlock * stride, *v = k + kRows * stride;
  const u16* from = qkv + static_cast<size_t>(b) * T * ldq + head * D;
  const u16* dfrom = dout + static_cast<size_t>(b) * T * ldd + head * D;
  const size_t statistics = (static_cast<size_t>(b) * heads + head) * T;
  const int first = query0 + warp * 16;
  float logSum[2], mean[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int query = first + rowOf(2 * half);
    logSum[half] = query < T ? logSums[statistics + query] : 0;
    mean[half] = query < T ? delta[statistics + query] : 0;
  }
  float dq[kMaxFragments][4] = {};
  for (int key0 = 0; key0 < min(T, query0 + kRowsOfBlock); key0 += kRows) {
    float weights[n][4] = {}, slopes[n][4] = {};
#pragma unroll 1
    for (int i = 1; i <= parts; i++) {
      const int p = (part + i) % parts, columns = widthOfPart(D, p);
      __syncthreads();
      if (key0 == 0 || parts > 1) {
        copyHalfRows<kRowsOfBlock>(q, columns, from + p * kPart, ldq, query0, T);
        copyHalfRows<kRowsOfBlock>(d, columns, dfrom + p * kPart, ldd, query0, T);
      }
      copyHalfRows<kRows>(k, columns, from + C + p * kPart, ldq, key0, T);
      copyHalfRows<kRows>(v, columns, from + 2 * C + p * kPart, ldq, key0, T);
      copyCommit();
      copyWait<0>();
      __syncthreads();
      multiplyRows<n>(weights, q + warp * 16 * halfStride(columns), k, columns);
      multiplyRows<n>(slopes, d + warp * 16 * halfStride(columns), v, columns);
    }
#pragma unroll
    for (int j = 0; j < n; j++)
#pragma unroll
      for (int h = 0; h < 4; h++) {
        const int query = first + rowOf(h), key = key0 + columnOf(j, h);
        const bool visible = query < T && key <= query;
        const float p = visible ? expf(weights[j][h] * scale - logSum[h / 2]) : 0.0f;
        const float factor = threshold && visible ? attentionMask(mask, T, head, firstSequence + b, query, key) : 1.0f;
        slopes[j][h] = p * (slopes[j][h] * factor - mean[h / 2]) * scale;
      }
    addRowProducts<n>(dq, slopes, k, width);
  }
  const int column = head * D + part * kPart;
  float* to = dqkv + static_cast<size_t>(b) * T * 3 * C + column;
  storeFragments(dq, {1, 1}, first, T, width, to, 3 * C,
                 rounded ? rounded + static_cast<size_t>(b) * T * ldr + column : nullptr, ldr);
}
