// The end of a training step: the norm of the gradient, clipping, and AdamW. The CPU need not read a number in between:
// if the loss or the norm is NaN or infinite, these kernels update nothing.
#pragma once
#include "math.cuh"

/// The settings that change from step to step. The CPU writes them before each step.
struct StepSettings {
  u32 seed, step;  // for dropout: see Mask
  float learningRate, beta1, beta2, epsilon, weightDecay, clip;
  float correction1, correction2;  // 1 − β1ᵗ and 1 − β2ᵗ for update t
};
/// The results of a step, which the CPU reads after it.
struct StepOutcome {
  double loss, norm;  // mean loss in nats per token; global norm of the gradient before clipping
  float gradientScale;
  u32 finite;
};

/// A part of one parameter that a block updates.
struct UpdateChunk {
  u32 offset, size;  // in floats, within the array of all parameters
  u32 decay;         // 1: weight decay applies
  u32 columns;       // columns of the parameter
  u32 first;         // index of the chunk's first number within the parameter
  u32 rounded;       // offset of the parameter's bf16 copy in units of 8 numbers, or kNoCopy
  u32 stride;        // row stride of the bf16 copy
  u32 unused;
};
constexpr u32 kNoCopy = 0xffffffffu;

/// The sum over all threads of the block. scratch: a number for each thread. The first thread gets it.
__device__ __forceinline__ double blockSumOfDoubles(double v, double* scratch) {
  scratch[threadIdx.x] = v;
  __syncthreads();
  for (int n = blockDim.x / 2; n > 0; n /= 2) {
    if (static_cast<int>(threadIdx.x) < n) scratch[threadIdx.x] += scratch[threadIdx.x + n];
    __syncthreads();
  }
  return scratch[0];
}

/// x (n) → partials (blocks): Σ x² of each block's numbers. 256 threads, 16 numbers each.
extern "C" __global__ void squares(u64 n, const float* x, double* partials) {
  double* scratch = sharedMemory<double>();
  const size_t begin = static_cast<size_t>(blockIdx.x) * blockDim.x * 16 + threadIdx.x;
  float sum = 0;
  for (int i = 0; i < 16; i++) {
    const size_t at = begin + static_cast<size_t>(i) * blockDim.x;
    if (at < n) sum += x[at] * x[at];
  }
  const double total = blockSumOfDoubles(sum, scratch);
  if (threadIdx.x == 0) partials[blockIdx.x] = total;
}

/// losses (n), partials (parts) of squares → *outcome. One block of a power of two of threads. parts 0: only the loss.
extern "C" __global__ void finishStep(u64 n, const float* losses, u64 parts, const double* partials,
                                      const StepSettings* settings, StepOutcome* outcome) {
  double* scratch = sharedMemory<double>();
  double loss = 0, square = 0;
  for (size_t i = threadIdx.x; i < n; i += blockDim.x) loss += losses[i];
  for (size_t i = threadIdx.x; i < parts; i += blockDim.x) square += partials[i];
  loss = blockSumOfDoubles(loss, scratch) / n;
  __syncthreads();
  const double norm = sqrt(blockSumOfDoubles(square, scratch));
  if (threadIdx.x > 0) return;
  outcome->loss = loss;
  outcome->norm = norm;
  // x − x is 0 unless x is NaN or infinite.
  outcome->finite = loss - loss == 0 && norm - norm == 0 ? 1 : 0;
  float scale = 1;
  // Clips as torch.nn.utils.clip_grad_norm_ does.
  if (parts > 0 && settings->clip > 0) scale = static_cast<float>(fmin(1.0, settings->clip / (norm + 1e-6)));
  outcome->gradientScale = scale;
}

__device__ __forceinline__ void storeRounded(const UpdateChunk& c, u32 i, float w, u16* rounded) {
  if (c.rounded == kNoCopy) return;
  const u32 index = c.first + i;
  rounded[static_cast<size_t>(c.rounded) * 8 + static_cast<size_t>(index / c.columns) * c.stride + index % c.columns] =
      toBf16(w);
}

/// AdamW (Loshchilov and Hutter 2019), as torch.optim.AdamW computes it. weights, gradients, first and second moments:
/// all parameters. A block for each chunk. Also writes the bf16 copies of matrices, if `rounded` is not null.
extern "C" __global__ void adamw(const UpdateChunk* chunks, const StepSettings* settings, const StepOutcome* outcome,
                                 float* weights, const float* gradients, float* first, float* second, u16* rounded) {
  if (!outcome->finite) return;
  const UpdateChunk c = chunks[blockIdx.x];
  const StepSettings s = *settings;
  const float decay = 1.0f - s.learningRate * (c.decay ? s.weightDecay : 0.0f);
  const float stepSize = s.learningRate / s.correction1, inverse = 1.0f / sqrtf(s.correction2);
  for (u32 i = threadIdx.x; i < c.size; i += blockDim.x) {
    const size_t at = static_cast<size_t>(c.offset) + i;
    const float g = gradients[at] * outcome->gradientScale;
    const float m = first[at] + (g - first[at]) * (1.0f - s.beta1);
    const float v = second[at] * s.beta2 + g * g * (1.0f - s.beta2);
    const float w = weights[at] * decay - stepSize * m / (sqrtf(v) * inverse + s.epsilon);
    first[at] = m;
    second[at] = v;
    weights[at] = w;
    if (rounded) storeRounded(c, i, w, rounded);
  }
}

/// Writes the bf16 copies of all matrices, after weights came from the CPU.
extern "C" __global__ void roundWeights(const UpdateChunk* chunks, const float* weights, u16* rounded) {
  const UpdateChunk c = chunks[blockIdx.x];
  for (u32 i = threadIdx.x; i < c.size; i += blockDim.x)
    storeRounded(c, i, weights[static_cast<size_t>(c.offset) + i], rounded);
}
