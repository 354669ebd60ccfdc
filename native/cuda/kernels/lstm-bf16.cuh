// LSTM on tensor cores, in two ways that give the same bits: one time step in a launch, or all time steps in one launch
// that keeps the recurrent weights in shared memory. Both are one product and the cells of lstm.cuh.
//
// A block of 128 threads computes 32 sequences × 16 units. The factor A (32,K), which comes from the time step before,
// passes through shared memory in chunks of 128 columns, kStages deep. Warp w sums over columns 32·w … 32·w + 31 of
// each chunk, so that no number of A or B is read twice; the sums of the four warps are added in shared memory, in
// their order.
//
// All time steps in one launch: the blocks of the same sequences wait for each other, so all blocks of the grid must be
// on the GPU at the same time (lib/engine/gpu/networks/lstm-time-steps.ts asks the driver how many are). A block that
// has stored its part of a time step sets its flag to the number of time steps that are done. A flag and not a counter,
// because it needs no atomic operation. Tiles of 32 sequences have flags of their own: while one waits, a block
// computes another.
#pragma once
#include "lstm.cuh"

constexpr int kChunk = 128;
constexpr int kChunkStride = kChunk + 8;
constexpr int kChunkSize = kSequences * kChunkStride;
/// Row strides of a warp's sums in shared memory. With them, at most two lanes of a warp store to the same bank.
constexpr int kForwardStride = 72, kBackwardStride = 24;

/// Passes A (32,K) through `stages`, each of stageSize numbers. loadB(to, k) copies the part of B for the chunk that
/// begins at column k. multiply(stage, k, column) multiplies 16 columns: column k of the chunk is column `column` of A.
template <int stageSize, class LoadB, class Multiply>
__device__ __forceinline__ void forChunks(u16* stages, const u16* A, int lda, int rows, int K, LoadB loadB,
                                          Multiply multiply) {
  const int chunks = (K + kChunk - 1) / kChunk, own = threadIdx.x / 32 * 32;
  const auto load = [&](int chunk) {
    if (chunk < chunks) {
      u16* to = stages + chunk % kStages * stageSize;
      const int k = chunk * kChunk;
      copyTile<u16, kSequences, kChunk, kChunkStride, 128>(to, A + k, lda, rows, K - k);
      loadB(to + kChunkSize, k);
    }
    copyCommit();
  };
  for (int s = 0; s < kStages - 1; s++) load(s);
  for (int chunk = 0; chunk < chunks; chunk++) {
    copyWait<kStages - 2>();
    __syncthreads();
    load(chunk + kStages - 1);
    const u16* stage = stages + chunk % kStages * stageSize;
#pragma unroll
    for (int k = own; k < own + 32; k += 16)
      if (chunk * kChunk + k < K) multiply(stage, k, chunk * kChunk + k);
  }
  __syncthreads();  // before the sums overwrite the stages
}

// ── forward: A = the hidden states before (32,H), B = 16 rows of each gate of the recurrent weights (4H,H) ──

/// Row stride of weights in shared memory: a multiple of 16, plus 8 numbers to avoid bank conflicts.
__device__ __forceinline__ int residentStride(int H) { return (H + 15) / 16 * 16 + 8; }

/// Copies columns k … k + columns − 1 of the block's weights: row q·16 + u is unit unit0 + u of gate q. Zeros beyond H.
__device__ __forceinline__ void copyGateRows(u16* to, int stride, const u16* recurrent, int ldw, int H, int unit0,
                                             int k, int columns) {
  const int chunks = columns / 8;
  for (int i = threadIdx.x; i < 4 * kUnits * chunks; i += 128) {
    const int r = i / chunks, c = i % chunks * 8, unit = unit0 + r % kUnits;
    const int valid = unit < H ? max(0, min(8, H - k - c)) : 0;
    const u16* from = recurrent + (static_cast<size_t>(r / kUnits) * H + unit) * ldw + k + c;
    copyAsync16(to + r * stride + c, valid ? from : recurrent, valid * 2);
  }
}

/// sums (32,64) of a warp += 16 columns of a (from k on) · 16 columns of the rows of b (from column on)ᵀ.
__device__ __forceinline__ void multiplyGates(float (&sums)[2][8][4], const u16* a, int k, const u16* b, int stride,
                                              int column) {
  const int lane = threadIdx.x % 32;
  u32 fa[2][4];
#pragma unroll
  for (int i = 0; i < 2; i++) loadFragmentA<false, kChunkStride>(fa[i], a, i * 16, k);
#pragma unroll
  for (int q = 0; q < 4; q++) {
    u32 fb[4];
    loadMatrices(fb, b + (q * kUnits + lane / 16 * 8 + lane % 8) * stride + column + lane / 8 % 2 * 8);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      multiplyAdd(sums[i][2 * q], fa[i], fb[0], fb[1]);
      multiplyAdd(sums[i][2 * q + 1], fa[i], fb[2], fb[3]);
    }
  }
}

/// One time step of a block. previous (B,H) with the stride ldp, or null for zeros. product(sums, A) adds to sums.
/// wait() is called after the inputs of the cells are read, and before the product reads `previous`.
template <class Wait, class Product>
__device__ __forceinline__ void forwardStepOfBlock(const ForwardStep& s, int B, int H, int sequence0, int unit0,
                                                   const u16* previous, int ldp, float* results, Wait wait,
                                                   Product product) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // A thread computes four cells: one unit of four sequences.
  const int u = unit0 + threadIdx.x % 16, firstRow = threadIdx.x / 16;
  CellInputs inputs[4];
#pragma unroll
  for (int i = 0; i < 4; i++) inputs[i] = loadCell(s, B, H, sequence0 + firstRow + i * 8, u);
  wait();
  float sums[2][8][4] = {};
  if (previous) product(sums, previous + static_cast<size_t>(sequence0) * ldp);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    if (half) __syncthreads();  // before the sums of the first half are overwritten
#pragma unroll
    for (int j = 0; j < 8; j++)
#pragma unroll
      for (int h = 0; h < 4; h++)
        results[(warp * 16 + lane / 4 + h / 2 * 8) * kForwardStride + j * 8 + lane % 4 * 2 + h % 2] = sums[half][j][h];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int row = firstRow + i * 8;
      float z[4] = {};
#pragma unroll
      for (int q = 0; q < 4; q++)
#pragma unroll
        for (int w = 0; w < 4; w++) z[q] += results[(w * 16 + row) * kForwardStride + q * kUnits + threadIdx.x % 16];
      computeCell(s, B, H, sequence0 + half * 16 + row, u, inputs[half * 2 + i], z);
    }
  }
}

/// See `lstmForward`. previous and recurrent in bf16. Grid: (H/16, B/32), 128 threads. Shared memory: kStages chunks of
/// 32 + 64 rows.
extern "C" __global__ void __launch_bounds__(128)
    lstmForwardBf16(int B, int H, const u16* previous, int ldp, const u16* recurrent, int ldw, float* gates,
                    const float* previousCell, float* cell, float* hidden, u16* rounded, int ldr) {
  constexpr int stageSize = kChunkSize + 4 * kUnits * kChunkStride;
  const int sequence0 = blockIdx.y * kSequences, unit0 = blockIdx.x * kUnits;
  u16* stages = sharedMemory<u16>();
  forwardStepOfBlock(
      {gates, previousCell, cell, hidden, rounded, ldr}, B, H, sequence0, unit0, previous, ldp, sharedMemory<float>(),
      [] {},
      [&](float (&sums)[2][8][4], const u16* A) {
        forChunks<stageSize>(
            stages, A, ldp, B - sequence0, H,
            [&](u16* to, int k) { copyGateRows(to, kChunkStride, recurrent, ldw, H, unit0, k, kChunk); },
            [&](const u16* stage, int k, int) { multiplyGates(sums, stage, k, stage + kChunkSize, kChunkStride, k); });
      });
}

// ── backward: A = the gradients of the gates after (32,4H), B = 16 columns of the recurrent weights (4H,H) ──

/// Where half `half` of row `row` is in a tile whose rows have 16 numbers. The halves of four rows in eight are
/// swapped, so that ldmatrix reads eight rows from different banks.
__device__ __forceinline__ int swappedHalf(int row, int half) { return row * 16 + (half ^ row / 4 % 2) * 8; }

/// Copies `rows` rows from k on of the weights, of the block's units. Zeros beyond 4H and H.
__device__ __forceinline__ void copyUnitColumns(u16* to, const u16* recurrent, int ldw, int H, int unit0, int k,
                                                int rows) {
  for (int i = threadIdx.x; i < rows * 2; i += 128) {
    const int r = i / 2, half = i % 2;
    const int valid = k + r < 4 * H ? max(0, min(8, H - unit0 - half * 8)) : 0;
    const u16* from = recurrent + static_cast<size_t>(k + r) * ldw + unit0 + half * 8;
    copyAsync16(to + swappedHalf(r, half), valid ? from : recurrent, valid * 2);
  }
}

/// sums (32,16) of a warp += 16 columns of a (from k on) · 16 rows of b (from row on).
__device__ __forceinline__ void multiplyUnits(float (&sums)[2][2][4], const u16* a, int k, const u16* b, int row) {
  const int lane = threadIdx.x % 32;
  u32 fb[4];
  loadMatricesTransposed(fb, b + swappedHalf(row + lane % 16, lane / 16));
#pragma unroll
  for (int i = 0; i < 2; i++) {
    u32 fa[4];
    loadFragmentA<false, kChunkStride>(fa, a, i * 16, k);
    multiplyAdd(sums[i][0], fa, fb[0], fb[1]);
    multiplyAdd(sums[i][1], fa, fb[2], fb[3]);
  }
}

/// One backward time step of a block; see forwardStepOfBlock. next (B,4H) with the stride ldn, or null for zeros.
template <class Wait, class Product>
__device__ __forceinline__ void backwardStepOfBlock(const BackwardStep& s, int B, int H, int sequence0, int unit0,
                                                    const u16* next, int ldn, float* results, Wait wait,
                                                    Product product) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int u = unit0 + threadIdx.x % 16, firstRow = threadIdx.x / 16;
  CellState inputs[4];
#pragma unroll
  for (int i = 0; i < 4; i++) inputs[i] = loadState(s, B, H, sequence0 + firstRow + i * 8, u);
  wait();
  float sums[2][2][4] = {};
  if (next) product(sums, next + static_cast<size_t>(sequence0) * ldn);
#pragma unroll
  for (int i = 0; i < 2; i++)
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
      for (int h = 0; h < 4; h++)
        results[(warp * 32 + i * 16 + lane / 4 + h / 2 * 8) * kBackwardStride + j * 8 + lane % 4 * 2 + h % 2] =
            sums[i][j][h];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int row = firstRow + i * 8;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < 4; w++) sum += results[(w * 32 + row) * kBackwardStride + threadIdx.x % 16];
    computeGradient(s, B, H, sequence0 + row, u, inputs[i], sum);
  }
}

/// See `lstmBackward`. dgatesNext and recurrent in bf16. Grid: (H/16, B/32), 128 threads. Shared memory: kStages chunks
/// of 32 rows, and of 128 rows of 16.
extern "C" __global__ void __launch_bounds__(128)
    lstmBackwardBf16(int B, int H, const float* dhidden, const u16* dgatesNext, int ldg, const u16* recurrent, int ldw,
                     float* gates, const float* cell, const float* previousCell, float* dcell, u16* rounded, int ldr) {
  constexpr int stageSize = kChunkSize + kChunk * kUnits;
  const int sequence0 = blockIdx.y * kSequences, unit0 = blockIdx.x * kUnits;
  u16* stages = sharedMemory<u16>();
  backwardStepOfBlock(
      {dhidden, gates, cell, previousCell, dcell, rounded, ldr}, B, H, sequence0, unit0, dgatesNext, ldg,
      sharedMemory<float>(), [] {},
      [&](float (&sums)[2][2][4], const u16* A) {
        forChunks<stageSize>(
            stages, A, ldg, B - sequence0, 4 * H,
            [&](u16* to, int k) { copyUnitColumns(to, recurrent, ldw, H, unit0, k, kChunk); },
            [&](const u16* stage, int k, int) { multiplyUnits(sums, stage, k, stage + kChunkSize, k); });
      });
}

// ── all time steps ──

/// Waits until all `blocks` blocks of a tile have done `steps` time steps.
__device__ __forceinline__ void waitForBlocks(const u32* flags, int blocks, int steps) {
  for (int i = threadIdx.x; i < blocks; i += 128) waitForFlag(flags + i, steps);
  __syncthreads();
}
/// Sets the flag that says that this block has done `steps` time steps of a tile.
__device__ __forceinline__ void tellBlocks(u32* flags, int steps) {
  __syncthreads();
  if (threadIdx.x == 0) setFlag(flags + blockIdx.x, steps);
}

/// All T time steps of a layer. start (B,H) with the stride lds and startCell (B,H): the state before, or null for
/// zeros; recurrent (4H,H) with the stride ldw, in bf16; gates (T,B,4H), cells and hidden (T,B,H), rounded (T,B,H) with
/// the stride ldr: see ForwardStep. flags (B/32, H/16): zeros. Grid: (H/16, groups ≤ B/32), 128 threads. Shared memory:
/// 64 rows of weights and kStages chunks of 32 rows.
extern "C" __global__ void __launch_bounds__(128)
    lstmForwardAllBf16(int T, int B, int H, const u16* start, int lds, const u16* recurrent, int ldw, float* gates,
                       const float* startCell, float* cells, float* hidden, u16* rounded, int ldr, u32* flags) {
  const int unit0 = blockIdx.x * kUnits, blocks = gridDim.x, stride = residentStride(H);
  u16 *weights = sharedMemory<u16>(), *stages = weights + 4 * kUnits * stride;
  copyGateRows(weights, stride, recurrent, ldw, H, unit0, 0, stride - 8);
  copyCommit();
  copyWait<0>();
  for (int t = 0; t < T; t++)
    for (int tile = blockIdx.y; tile * kSequences < B; tile += gridDim.y) {
      const size_t row = static_cast<size_t>(t) * B;
      u32* flagsOfTile = flags + tile * blocks;
      const int sequence0 = tile * kSequences, ldp = t ? ldr : lds;
      forwardStepOfBlock(
          {gates + row * 4 * H, t ? cells + (row - B) * H : startCell, cells + row * H, hidden + row * H,
           rounded + row * ldr, ldr},
          B, H, sequence0, unit0, t ? rounded + (row - B) * ldr : start, ldp, reinterpret_cast<float*>(stages),
          [&] {
            if (t) waitForBlocks(flagsOfTile, blocks, t);
          },
          [&](float (&sums)[2][8][4], const u16* A) {
            forChunks<kChunkSize>(
                stages, A, ldp, B - sequence0, H, [](u16*, int) {},
                [&](const u16* stage, int k, int column) { multiplyGates(sums, stage, k, weights, stride, column); });
          });
      tellBlocks(flagsOfTile, t + 1);
    }
}

/// All time steps of a layer's backpropagation. dhidden (T,B,H), gates (T,B,4H), cells (T,B,H), dcell (B,H), rounded
/// (T,B,4H) with the stride ldr: see BackwardStep; startCell, recurrent and flags as above. Shared memory: 4H rows of
/// 16 numbers, rounded up to 16 rows, and kStages chunks of 32 rows.
extern "C" __global__ void __launch_bounds__(128)
    lstmBackwardAllBf16(int T, int B, int H, const float* dhidden, const u16* recurrent, int ldw, float* gates,
                        const float* cells, const float* startCell, float* dcell, u16* rounded, int ldr, u32* flags) {
  const int unit0 = blockIdx.x * kUnits, blocks = gridDim.x, rowsOfWeights = (4 * H + 15) / 16 * 16;
  u16 *weights = sharedMemory<u16>(), *stages = weights + rowsOfWeights * kUnits;
  copyUnitColumns(weights, recurrent, ldw, H, unit0, 0, rowsOfWeights);
  copyCommit();
  copyWait<0>();
  for (int t = T - 1; t >= 0; t--)
    for (int tile = blockIdx.y; tile * kSequences < B; tile += gridDim.y) {
      const size_t row = static_cast<size_t>(t) * B;
      u32* flagsOfTile = flags + tile * blocks;
      const int sequence0 = tile * kSequences, done = T - 1 - t;
      backwardStepOfBlock(
          {dhidden + row * H, gates + row * 4 * H, cells + row * H, t ? cells + (row - B) * H : startCell, dcell,
           rounded + row * ldr, ldr},
          B, H, sequence0, unit0, done ? rounded + (row + B) * ldr : nullptr, ldr, reinterpret_cast<float*>(stages),
          [&] {
            if (done) waitForBlocks(flagsOfTile, blocks, done);
          },
          [&](float (&sums)[2][2][4], const u16* A) {
            forChunks<kChunkSize>(
                stages, A, ldr, B - sequence0, 4 * H, [](u16*, int) {},
                [&](const u16* stage, int k, int column) { multiplyUnits(sums, stage, k, weights, column); });
          });
      tellBlocks(flagsOfTile, done + 1);
    }
}
