// Kernels over rows: LayerNorm, sums of columns, cross-entropy.
#pragma once
#include "math.cuh"

/// LayerNorm (Ba et al. 2016), a warp for each row. x (rows,C), weight (C), bias (C) or null → out (rows,C), rounded
/// (rows,C) with the stride ldr (either may be null), mean (rows), rstd (rows).
extern "C" __global__ void layerNorm(int rows, int C, const float* x, const float* weight, const float* bias,
                                     float* out, u16* rounded, int ldr, float* mean, float* rstd) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const size_t at = static_cast<size_t>(row) * C;
  float sum = 0;
  for (int c = lane; c < C; c += 32) sum += x[at + c];
  const float m = warpSum(sum) / C;
  float squares = 0;
  for (int c = lane; c < C; c += 32) squares += (x[at + c] - m) * (x[at + c] - m);
  const float r = 1.0f / sqrtf(warpSum(squares) / C + 1e-5f);
  for (int c = lane; c < C; c += 32) {
    const float y = (x[at + c] - m) * r * weight[c] + (bias ? bias[c] : 0.0f);
    if (out) out[at + c] = y;
    if (rounded) rounded[static_cast<size_t>(row) * ldr + c] = toBf16(y);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

/// dout (rows,C) → dx (rows,C) = the gradient of x + addend (rows,C). addend may be dx or null. rounded as in
/// layerNorm.
extern "C" __global__ void layerNormBackward(int rows, int C, const float* x, const float* weight, const float* mean,
                                             const float* rstd, const float* dout, const float* addend, float* dx,
                                             u16* rounded, int ldr) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const size_t at = static_cast<size_t>(row) * C;
  const float m = mean[row], r = rstd[row];
  float sum = 0, product = 0;
  for (int c = lane; c < C; c += 32) {
    const float d = dout[at + c] * weight[c];
    sum += d;
    product += d * (x[at + c] - m) * r;
  }
  const float meanOfSum = warpSum(sum) / C, meanOfProduct = warpSum(product) / C;
  for (int c = lane; c < C; c += 32) {
    const float normalized = (x[at + c] - m) * r;
    float d = (dout[at + c] * weight[c] - meanOfSum - normalized * meanOfProduct) * r;
    if (addend) d += addend[at + c];
    dx[at + c] = d;
    if (rounded) rounded[static_cast<size_t>(row) * ldr + c] = toBf16(d);
  }
}

/// Sums over 8 groups of 32 threads, where each thread has a number for one of 32 columns. sums: 256 numbers in shared
/// memory. The first group gets the result.
__device__ __forceinline__ float sumGroups(float v, float* sums) {
  sums[threadIdx.x] = v;
  __syncthreads();
  float total = 0;
  if (threadIdx.x < 32)
    for (int g = 0; g < 8; g++) total += sums[g * 32 + threadIdx.x];
  __syncthreads();
  return total;
}

/// x (rows,N), rows `ld` apart → partials (groups,N): the sum of each column over rowsOfGroup rows. Grid: (N/32,
/// groups), 256 threads. sumPartials adds up the groups.
extern "C" __global__ void columnSums(int rows, int N, const float* x, int ld, int rowsOfGroup, float* partials) {
  float* sums = sharedMemory<float>();
  const int column = blockIdx.x * 32 + threadIdx.x % 32, begin = blockIdx.y * rowsOfGroup;
  const int end = min(rows, begin + rowsOfGroup);
  float sum = 0;
  if (column < N)
    for (int r = begin + threadIdx.x / 32; r < end; r += 8) sum += x[static_cast<size_t>(r) * ld + column];
  sum = sumGroups(sum, sums);
  if (threadIdx.x < 32 && column < N) partials[static_cast<size_t>(blockIdx.y) * N + column] = sum;
}

/// The gradients of LayerNorm's weight and bias: partialWeights and partialBiases (groups,C), as columnSums gives them.
/// partialBiases may be null.
extern "C" __global__ void layerNormGradients(int rows, int C, const float* x, const float* mean, const float* rstd,
                                              const float* dout, int rowsOfGroup, float* partialWeights,
                                              float* partialBiases) {
  float* sums = sharedMemory<float>();
  const int column = blockIdx.x * 32 + threadIdx.x % 32, begin = blockIdx.y * rowsOfGroup;
  const int end = min(rows, begin + rowsOfGroup);
  float weight = 0, bias = 0;
  if (column < C)
    for (int r = begin + threadIdx.x / 32; r < end; r += 8) {
      const size_t at = static_cast<size_t>(r) * C + column;
      weight += dout[at] * (x[at] - mean[r]) * rstd[r];
      bias += dout[at];
    }
  weight = sumGroups(weight, sums);
  bias = sumGroups(bias, sums);
  if (threadIdx.x >= 32 || column >= C) return;
  const size_t at = static_cast<size_t>(blockIdx.y) * C + column;
  partialWeights[at] = weight;
  if (partialBiases) partialBiases[at] = bias;
}

/// logits (rows,V), targets (rows) → losses (rows) = −log softmax(logits)[target]. If scale ≠ 0, the logits become
/// their gradient (softmax − onehot) · scale, which rounded (rows,V) receives in bf16 unless it is null. A block for
/// each row; any V.
extern "C" __global__ void crossEntropy(int V, float* logits, const u32* targets, float scale, float* losses,
                                        u16* rounded, int ldr) {
  float* scratch = sharedMemory<float>();
  float* row = logits + static_cast<size_t>(blockIdx.x) * V;
  const int target = static_cast<int>(targets[blockIdx.x]);
  float most = __uint_as_float(0xff800000u);  // −∞
  for (int i = threadIdx.x; i < V; i += blockDim.x) most = fmaxf(most, row[i]);
  most = blockMax(most, scratch);
  float sum = 0;
  for (int i = threadIdx.x; i < V; i += blockDim.x) sum += expf(row[i] - most);
  sum = blockSum(sum, scratch);
  if (threadIdx.x == 0) losses[blockIdx.x] = logf(sum) + most - row[target];
  if (scale == 0) return;
  __syncthreads();  // before the target's logit is overwritten
  for (int i = threadIdx.x; i < V; i += blockDim.x) {
    const float d = (expf(row[i] - most) / sum - (i == target ? 1.0f : 0.0f)) * scale;
    row[i] = d;
    if (rounded) rounded[static_cast<size_t>(blockIdx.x) * ldr + i] = toBf16(d);
  }
}
