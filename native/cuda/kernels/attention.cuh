// Causal attention, forward and for decoding. The scores of a head (T,T) are never stored: they pass through shared
// memory in tiles of 32 queries and 32 keys (Dao et al. 2022, FlashAttention). attention-backward.cuh has the gradient.
//
// qkv (B,T,3C): a row holds q, k and v one after the other, each (heads,D). Sums are fp32.
// A head of more than 128 numbers has parts of 128. A block adds up the results of one part. It needs the scores, so it
// takes all parts of q and k through shared memory, its own part last: blocks of other parts compute them as well.
// A block has 4 warps. Each warp owns 8 rows of the block's tile; its lanes stand for the 32 rows of the other tile,
// and, where results are added up, for the D columns.
#pragma once
#include "math.cuh"

constexpr int kRows = 32;         // rows of a tile
constexpr int kRowsOfWarp = 8;    // kRows / 4 warps
constexpr int kPart = 128;        // columns of a part of a head
constexpr int kColumns = 4;       // each lane has these columns: lane, lane + 32, …
constexpr int kScoreStride = 36;  // row stride of a tile of scores

/// The number of parts of a head with D columns, and the width of a part.
__device__ __forceinline__ int partsOf(int D) { return (D + kPart - 1) / kPart; }
__device__ __forceinline__ int widthOfPart(int D, int part) { return min(kPart, D - part * kPart); }

/// Row stride of a tile with D columns. It is 4 times an odd number: a multiple of 4, so that four numbers are read
/// together, and odd, so that the lanes of a warp read from different banks.
__device__ __forceinline__ int tileStride(int D) { return ((D + 3) / 4 | 1) * 4; }

/// Rows `first` … `first` + 31 of a matrix (T,D), rows `ld` apart → tile. Zeros beyond T and D.
__device__ __forceinline__ void loadRows(float* tile, int D, const float* from, int ld, int first, int T) {
  const int stride = tileStride(D);
  for (int i = threadIdx.x; i < kRows * stride; i += 128) {
    const int r = i / stride, d = i % stride;
    tile[i] = first + r < T && d < D ? from[static_cast<size_t>(first + r) * ld + d] : 0.0f;
  }
}

/// scores[r] += Σ over d of own[r][d] · other[lane][d], for the rows of this warp.
__device__ __forceinline__ void rowProducts(float (&scores)[kRowsOfWarp], const float* own, const float* other, int D) {
  const int stride = tileStride(D);
  const float *a = own + threadIdx.x / 32 * kRowsOfWarp * stride, *b = other + threadIdx.x % 32 * stride;
  for (int d = 0; d < D; d += 4) {
    const Four vb = *reinterpret_cast<const Four*>(b + d);
#pragma unroll
    for (int r = 0; r < kRowsOfWarp; r++) {
      const Four va = *reinterpret_cast<const Four*>(a + r * stride + d);
      scores[r] += va.x * vb.x + va.y * vb.y + va.z * vb.z + va.w * vb.w;
    }
  }
}

/// Stores a number of each row of this warp in column `lane` of a tile of scores (32,32).
__device__ __forceinline__ void storeScores(float* tile, const float (&scores)[kRowsOfWarp]) {
  float* at = tile + threadIdx.x / 32 * kRowsOfWarp * kScoreStride + threadIdx.x % 32;
#pragma unroll
  for (int r = 0; r < kRowsOfWarp; r++) at[r * kScoreStride] = scores[r];
}

/// sums[r][i] += Σ over the 32 columns c of scores[r][c] · rows[c][lane + 32·i], for the rows of this warp.
__device__ __forceinline__ void addProducts(float (&sums)[kRowsOfWarp][kColumns], const float* scores,
                                            const float* rows, int D) {
  const int stride = tileStride(D), lane = threadIdx.x % 32;
  const float* a = scores + threadIdx.x / 32 * kRowsOfWarp * kScoreStride;
  for (int c = 0; c < kRows; c += 4) {
    Four p[kRowsOfWarp];
#pragma unroll
    for (int r = 0; r < kRowsOfWarp; r++) p[r] = *reinterpret_cast<const Four*>(a + r * kScoreStride + c);
#pragma unroll
    for (int i = 0; i < kColumns; i++) {
      if (lane + 32 * i >= D) continue;
      const float* b = rows + c * stride + lane + 32 * i;
      const float x = b[0], y = b[stride], z = b[2 * stride], w = b[3 * stride];
#pragma unroll
      for (int r = 0; r < kRowsOfWarp; r++) sums[r][i] += p[r].x * x + p[r].y * y + p[r].z * z + p[r].w * w;
    }
  }
}

/// The dropout factor of the weight that a query gives to a key. The native engine's masks go by tiles of 64×64,
/// [key][query] (native/engine/kernels/attention.hpp).
__device__ __forceinline__ float attentionMask(const Mask& m, int T, int head, u32 sequence, int query, int key) {
  const int tiles = (T + 63) / 64;
  return maskFactor(m, key % 64 * 64 + query % 64, (head * tiles + query / 64) * tiles + key / 64, sequence);
}

/// qkv (B,T,3C) → out (B,T,C), rounded (B,T,C) with the stride ldr (either may be null), logSums (B,heads,T): the
/// logarithm of the sum of exponentials of each query's scores. Grid: (T/32 · parts, heads, B), 128 threads. Shared
/// memory: three tiles of a part's columns and one of scores.
extern "C" __global__ void __launch_bounds__(128)
    attention(int T, int C, int D, float scale, const float* qkv, float* out, u16* rounded, int ldr, float* logSums,
              const u32* step, u32 threshold, u32 site, u32 firstSequence) {
  const Mask mask{step, threshold, site};
  const int parts = partsOf(D), part = blockIdx.x % parts, width = widthOfPart(D, part);
  const int heads = gridDim.y, head = blockIdx.y, b = blockIdx.z, query0 = blockIdx.x / parts * kRows;
  const int tile = kRows * tileStride(min(D, kPart)), lane = threadIdx.x % 32;
  float *q = sharedMemory<float>(), *k = q + tile, *v = k + tile, *weights = v + tile;
  const float* from = qkv + static_cast<size_t>(b) * T * 3 * C + head * D;
  const int own = query0 + threadIdx.x / 32 * kRowsOfWarp;
  float sums[kRowsOfWarp][kColumns] = {}, most[kRowsOfWarp], total[kRowsOfWarp] = {};
#pragma unroll
  for (int r = 0; r < kRowsOfWarp; r++) most[r] = __uint_as_float(0xff800000u);  // −∞
  for (int key0 = 0; key0 <= query0; key0 += kRows) {
    float scores[kRowsOfWarp] = {};
#pragma unroll 1
    for (int i = 1; i <= parts; i++) {
      const int p = (part + i) % parts, columns = widthOfPart(D, p);
      __syncthreads();
      if (key0 == 0 || parts > 1) loadRows(q, columns, from + p * kPart, 3 * C, query0, T);
      loadRows(k, columns, from + C + p * kPart, 3 * C, key0, T);
      if (p == part) loadRows(v, columns, from + 2 * C + p * kPart, 3 * C, key0, T);
      __syncthreads();
      rowProducts(scores, q, k, columns);
    }
    const int key = key0 + lane;
#pragma unroll
    for (int r = 0; r < kRowsOfWarp; r++) {
      // Each query sees the first key of each tile, so the maximum is finite from the first tile on.
      const bool visible = key <= own + r;
      const float score = visible ? scores[r] * scale : __uint_as_float(0xff800000u);
      const float larger = fmaxf(most[r], warpMax(score)), rescale = expf(most[r] - larger);
      const float weight = visible ? expf(score - larger) : 0.0f;
      total[r] = total[r] * rescale + warpSum(weight);
      most[r] = larger;
      scores[r] = threshold && visible && own + r < T
                      ? weight * attentionMask(mask, T, head, firstSequence + b, own + r, key)
                      : weight;
#pragma unroll
      for (int i = 0; i < kColumns; i++) sums[r][i] *= rescale;
    }
    storeScores(weights, scores);
    syncWarp();
    addProducts(sums, weights, v, width);
  }
#pragma unroll
  for (int r = 0; r < kRowsOfWarp; r++) {
    if (own + r >= T) continue;
    const size_t row = static_cast<size_t>(b) * T + own + r;
#pragma unroll
    for (int i = 0; i < kColumns; i++) {
      const int d = lane + 32 * i;
      if (d >= width) continue;
      const float value = sums[r][i] / total[r];
      const int column = head * D + part * kPart + d;
      if (out) out[row * C + column] = value;
      if (rounded) rounded[row * ldr + column] = toBf16(value);
    }
    if (lane == 0 && part == 0)
      logSums[(static_cast<size_t>(b) * heads + head) * T + own + r] = most[r] + logf(total[r]);
  }
}

/// Attention of one token in each of B streams. qkv (B,3C); keys and values (B,block,C): caches of earlier tokens, to
/// which this kernel adds k and v of this token → out (B,C), rounded (B,C). position: the number of earlier tokens, on
/// the device. Grid: (heads, B), 128 threads. Shared memory: block + 4 numbers.
extern "C" __global__ void attentionDecode(int block, int C, int D, float scale, const u32* position, const float* qkv,
                                           float* keys, float* values, float* out, u16* rounded, int ldr) {
  float *scratch = sharedMemory<float>(), *weights = scratch + 4;
  const int head = blockIdx.x, b = blockIdx.y, last = static_cast<int>(*position);
  const float* q = qkv + static_cast<size_t>(b) * 3 * C + head * D;
  float* k = keys + static_cast<size_t>(b) * block * C + head * D;
  float* v = values + static_cast<size_t>(b) * block * C + head * D;
  for (int d = threadIdx.x; d < D; d += blockDim.x) {
    k[static_cast<size_t>(last) * C + d] = q[C + d];
    v[static_cast<size_t>(last) * C + d] = q[2 * C + d];
  }
  __syncthreads();
  float most = __uint_as_float(0xff800000u);
  for (int t = threadIdx.x; t <= last; t += blockDim.x) {
    float score = 0;
    for (int d = 0; d < D; d++) score += q[d] * k[static_cast<size_t>(t) * C + d];
    weights[t] = score * scale;
    most = fmaxf(most, weights[t]);
  }
  most = blockMax(most, scratch);
  float sum = 0;
  for (int t = threadIdx.x; t <= last; t += blockDim.x) {
    weights[t] = expf(weights[t] - most);
    sum += weights[t];
  }
  sum = blockSum(sum, scratch);
  for (int d = threadIdx.x; d < D; d += blockDim.x) {
    float value = 0;
    for (int t = 0; t <= last; t++) value += weights[t] * v[static_cast<size_t>(t) * C + d];
    value /= sum;
    if (out) out[static_cast<size_t>(b) * C + head * D + d] = value;
    if (rounded) rounded[static_cast<size_t>(b) * ldr + head * D + d] = toBf16(value);
  }
}
