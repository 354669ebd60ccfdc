// The gradient of causal attention. The scores are computed twice from q, k and the forward pass's logSums: with a
// block for each 32 keys (dk, dv), and with a block for each 32 queries (dq). So each number is written by one thread,
// and no atomic additions are needed.
//
// With p = softmax(scale · q·kᵀ), dp = dout · vᵀ and delta = Σ over d of dout · out:  ds = p · (dp − delta) · scale,
// dq = ds · k, dk = dsᵀ · q, dv = pᵀ · dout. Under dropout with factors m, p of dv and dp are multiplied by m.
// Shapes: see attention.cuh.
#pragma once
#include "attention.cuh"

/// out, dout (B,T,C) → delta (B,heads,T). A warp for each head of a row.
extern "C" __global__ void attentionDelta(int B, int T, int C, int heads, const float* out, const float* dout,
                                          float* delta) {
  const size_t index = static_cast<size_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  const int lane = threadIdx.x % 32, D = C / heads;
  if (index >= static_cast<size_t>(B) * T * heads) return;
  const size_t row = index / heads, head = index % heads, at = row * C + head * D;
  float sum = 0;
  for (int d = lane; d < D; d += 32) sum += out[at + d] * dout[at + d];
  sum = warpSum(sum);
  if (lane == 0) delta[(row / T * heads + head) * T + row % T] = sum;
}

/// Stores this warp's rows of a gradient (T,D): in fp32 with the stride ld, and in bf16 with the stride ldr.
__device__ __forceinline__ void storeRows(const float (&sums)[kRowsOfWarp][kColumns], int first, int T, int D,
                                          float* to, int ld, u16* rounded, int ldr) {
#pragma unroll
  for (int r = 0; r < kRowsOfWarp; r++)
#pragma unroll
    for (int i = 0; i < kColumns; i++) {
      const int d = threadIdx.x % 32 + 32 * i;
      if (first + r >= T || d >= D) continue;
      to[static_cast<size_t>(first + r) * ld + d] = sums[r][i];
      if (rounded) rounded[static_cast<size_t>(first + r) * ldr + d] = toBf16(sums[r][i]);
    }
}

/// qkv (B,T,3C), dout (B,T,C), logSums and delta (B,heads,T) → the parts k and v of dqkv (B,T,3C), and of rounded with
/// the stride ldr, or null. Grid: (T/32 · parts, heads, B), 128 threads. Shared memory: four tiles of a part's columns
/// and two of scores.
extern "C" __global__ void __launch_bounds__(128, 2)
    attentionBackwardKeys(int T, int C, int D, float scale, const float* qkv, const float* dout, const float* logSums,
                          const float* delta, float* dqkv, u16* rounded, int ldr, const u32* step, u32 threshold,
                          u32 site, u32 firstSequence) {
  const Mask mask{step, threshold, site};
  const int parts = partsOf(D), part = blockIdx.x % parts, width = widthOfPart(D, part);
  const int heads = gridDim.y, head = blockIdx.y, b = blockIdx.z, key0 = blockIdx.x / parts * kRows;
  const int tile = kRows * tileStride(min(D, kPart)), lane = threadIdx.x % 32;
  float *k = sharedMemory<float>(), *v = k + tile, *q = v + tile, *d = q + tile;
  float *weights = d + tile, *slopes = weights + kRows * kScoreStride;
  const float* from = qkv + static_cast<size_t>(b) * T * 3 * C + head * D;
  const float* dfrom = dout + static_cast<size_t>(b) * T * C + head * D;
  const size_t statistics = (static_cast<size_t>(b) * heads + head) * T;
  const int own = key0 + threadIdx.x / 32 * kRowsOfWarp;
  float dk[kRowsOfWarp][kColumns] = {}, dv[kRowsOfWarp][kColumns] = {};
  for (int query0 = key0; query0 < T; query0 += kRows) {
    float scores[kRowsOfWarp] = {}, products[kRowsOfWarp] = {};
#pragma unroll 1
    for (int i = 1; i <= parts; i++) {
      const int p = (part + i) % parts, columns = widthOfPart(D, p);
      __syncthreads();
      if (query0 == key0 || parts > 1) {
        loadRows(k, columns, from + C + p * kPart, 3 * C, key0, T);
        loadRows(v, columns, from + 2 * C + p * kPart, 3 * C, key0, T);
      }
      loadRows(q, columns, from + p * kPart, 3 * C, query0, T);
      loadRows(d, columns, dfrom + p * kPart, C, query0, T);
      __syncthreads();
      rowProducts(scores, k, q, columns);
      rowProducts(products, v, d, columns);
    }
    const int query = query0 + lane;
    const float logSum = query < T ? logSums[statistics + query] : 0, mean = query < T ? delta[statistics + query] : 0;
#pragma unroll
    for (int r = 0; r < kRowsOfWarp; r++) {
      const bool visible = query < T && own + r <= query;
      const float p = visible ? expf(scores[r] * scale - logSum) : 0.0f;
      const float factor =
          threshold && visible ? attentionMask(mask, T, head, firstSequence + b, query, own + r) : 1.0f;
      scores[r] = p * factor;
      products[r] = p * (products[r] * factor - mean) * scale;
    }
    storeScores(weights, scores);
    storeScores(slopes, products);
    syncWarp();
    addProducts(dv, weights, d, width);
    addProducts(dk, slopes, q, width);
  }
  const int column = head * D + part * kPart;
  float* to = dqkv + static_cast<size_t>(b) * T * 3 * C + column;
  u16* roundedTo = rounded ? rounded + static_cast<size_t>(b) * T * ldr + column : nullptr;
  storeRows(dk, own, T, width, to + C, 3 * C, roundedTo ? roundedTo + C : nullptr, ldr);
  storeRows(dv, own, T, width, to + 2 * C, 3 * C, roundedTo ? roundedTo + 2 * C : nullptr, ldr);
}

/// Computes the part q of dqkv. Arguments: see attentionBackwardKeys.
extern "C" __global__ void __launch_bounds__(128, 2)
    attentionBackwardQueries(int T, int C, int D, float scale, const float* qkv, const float* dout,
                             const float* logSums, const float* delta, float* dqkv, u16* rounded, int ldr,
                             const u32* step, u32 threshold, u32 site, u32 firstSequence) {
  const Mask mask{step, threshold, site};
  const int parts = partsOf(D), part = blockIdx.x % parts, width = widthOfPart(D, part);
  const int heads = gridDim.y, head = blockIdx.y, b = blockIdx.z, query0 = blockIdx.x / parts * kRows;
  const int tile = kRows * tileStride(min(D, kPart)), lane = threadIdx.x % 32;
  float *k = sharedMemory<float>(), *v = k + tile, *q = v + tile, *d = q + tile, *slopes = d + tile;
  const float* from = qkv + static_cast<size_t>(b) * T * 3 * C + head * D;
  const float* dfrom = dout + static_cast<size_t>(b) * T * C + head * D;
  const size_t statistics = (static_cast<size_t>(b) * heads + head) * T;
  const int own = query0 + threadIdx.x / 32 * kRowsOfWarp;
  float dq[kRowsOfWarp][kColumns] = {};
  for (int key0 = 0; key0 <= query0; key0 += kRows) {
    float scores[kRowsOfWarp] = {}, products[kRowsOfWarp] = {};
#pragma unroll 1
    for (int i = 1; i <= parts; i++) {
      const int p = (part + i) % parts, columns = widthOfPart(D, p);
      __syncthreads();
      if (key0 == 0 || parts > 1) {
        loadRows(q, columns, from + p * kPart, 3 * C, query0, T);
        loadRows(d, columns, dfrom + p * kPart, C, query0, T);
      }
      loadRows(k, columns, from + C + p * kPart, 3 * C, key0, T);
      loadRows(v, columns, from + 2 * C + p * kPart, 3 * C, key0, T);
      __syncthreads();
      rowProducts(scores, q, k, columns);
      rowProducts(products, d, v, columns);
    }
    const int key = key0 + lane;
#pragma unroll
    for (int r = 0; r < kRowsOfWarp; r++) {
      const int query = own + r;
      const bool visible = query < T && key <= query;
      const float p = visible ? expf(scores[r] * scale - logSums[statistics + query]) : 0.0f;
      const float factor = threshold && visible ? attentionMask(mask, T, head, firstSequence + b, query, key) : 1.0f;
      products[r] = visible ? p * (products[r] * factor - delta[statistics + query]) * scale : 0.0f;
    }
    storeScores(slopes, products);
    syncWarp();
    addProducts(dq, slopes, k, width);
  }
  const int column = head * D + part * kPart;
  float* to = dqkv + static_cast<size_t>(b) * T * 3 * C + column;
  storeRows(dq, own, T, width, to, 3 * C, rounded ? rounded + static_cast<size_t>(b) * T * ldr + column : nullptr, ldr);
}
