// LSTM (Hochreiter and Schmidhuber 1997; gates i f g o): the cells, and one time step of all sequences in fp32. The
// products with a layer's inputs are made for all time steps before. lstm-bf16.cuh has the kernels in bf16.
//
// A block of 128 threads computes 32 sequences × 16 units forward, 32 × 32 backward. A warp computes fragments of 16
// sequences × 8 numbers, laid out as in products.cuh, so that a lane holds all four gates of its sequences and units.
#pragma once
#include "products.cuh"

constexpr int kSequences = 32;
constexpr int kUnits = 16;  // of a block, forward
constexpr int kDepth = 32;  // of a tile of K

/// The arrays of a time step forward. gates (B,4H): on entry the products with the inputs plus biases, on return the
/// gates after their nonlinearities. previousCell (B,H), or null for zeros. Written: cell and hidden (B,H), and rounded
/// (B,H), hidden in bf16 with the stride ldr, unless it is null.
struct ForwardStep {
  float* gates;
  const float* previousCell;
  float *cell, *hidden;
  u16* rounded;
  int ldr;
};
/// The inputs of a cell that do not depend on other cells, whether of this time step or of the one before.
struct CellInputs {
  float gates[4], previousCell;
};
__device__ __forceinline__ CellInputs loadCell(const ForwardStep& s, int B, int H, int b, int u) {
  if (b >= B || u >= H) return {};
  const float* g = s.gates + static_cast<size_t>(b) * 4 * H + u;
  return {{g[0], g[H], g[2 * H], g[3 * H]}, s.previousCell ? s.previousCell[static_cast<size_t>(b) * H + u] : 0.0f};
}
/// Computes a cell. z: the four products with the recurrent weights.
__device__ __forceinline__ void computeCell(const ForwardStep& s, int B, int H, int b, int u, const CellInputs& in,
                                            const float (&z)[4]) {
  if (b >= B || u >= H) return;
  float* g = s.gates + static_cast<size_t>(b) * 4 * H + u;
  const size_t at = static_cast<size_t>(b) * H + u;
  const float i = sigmoid(in.gates[0] + z[0]), f = sigmoid(in.gates[1] + z[1]);
  const float candidate = tanhf(in.gates[2] + z[2]), o = sigmoid(in.gates[3] + z[3]);
  const float c = i * candidate + f * in.previousCell, out = o * tanhf(c);
  g[0] = i;
  g[H] = f;
  g[2 * H] = candidate;
  g[3 * H] = o;
  s.cell[at] = c;
  s.hidden[at] = out;
  if (s.rounded) s.rounded[static_cast<size_t>(b) * s.ldr + u] = toBf16(out);
}

/// The arrays of a time step backward. dhidden (B,H): the gradient of the outputs of this time step from above; gates,
/// cell of this time step, previousCell (or null); dcell (B,H). Written: gates become their gradients before the
/// nonlinearities; dcell becomes the gradient for the time step before; rounded (B,4H) with the stride ldr receives the
/// gates' gradients in bf16, unless it is null.
struct BackwardStep {
  const float* dhidden;
  float* gates;
  const float *cell, *previousCell;
  float* dcell;
  u16* rounded;
  int ldr;
};
struct CellState {
  float gates[4], cell, previousCell, dhidden, dcell;
};
__device__ __forceinline__ CellState loadState(const BackwardStep& s, int B, int H, int b, int u) {
  if (b >= B || u >= H) return {};
  const float* g = s.gates + static_cast<size_t>(b) * 4 * H + u;
  const size_t at = static_cast<size_t>(b) * H + u;
  return {{g[0], g[H], g[2 * H], g[3 * H]},
          s.cell[at],
          s.previousCell ? s.previousCell[at] : 0.0f,
          s.dhidden[at],
          s.dcell[at]};
}
/// Computes the gradients of a cell. recurrent: the gradient of its output from the time step after.
__device__ __forceinline__ void computeGradient(const BackwardStep& s, int B, int H, int b, int u, const CellState& in,
                                                float recurrent) {
  if (b >= B || u >= H) return;
  const size_t at = static_cast<size_t>(b) * H + u;
  float* gate = s.gates + static_cast<size_t>(b) * 4 * H + u;
  const float i = in.gates[0], f = in.gates[1], g = in.gates[2], o = in.gates[3], t = tanhf(in.cell);
  const float dh = in.dhidden + recurrent;
  const float dc = in.dcell + dh * o * (1.0f - t * t);
  const float d[4] = {dc * g * i * (1.0f - i), dc * in.previousCell * f * (1.0f - f), dc * i * (1.0f - g * g),
                      dh * t * o * (1.0f - o)};
  s.dcell[at] = dc * f;
#pragma unroll
  for (int q = 0; q < 4; q++) {
    gate[q * H] = d[q];
    if (s.rounded) s.rounded[static_cast<size_t>(b) * s.ldr + q * H + u] = toBf16(d[q]);
  }
}

/// sums (16, 8·n) of a warp += A·B over a tile of K. a (32,kDepth): rows m … m + 15. b: see the two uses.
/// columnOf(j): the first row (or column, if kMajor) of b of fragment j.
template <bool kMajor, int n, int strideA, int strideB, class F>
__device__ __forceinline__ void multiplyStep(float (&sums)[n][4], const float* a, const float* b, int m, F columnOf) {
  const int lane = threadIdx.x % 32, row = m + lane / 4, column = lane % 4 * 2;
#pragma unroll 4
  for (int k = 0; k < kDepth; k++) {
    const float a0 = a[row * strideA + k], a1 = a[(row + 8) * strideA + k];
#pragma unroll
    for (int j = 0; j < n; j++) {
      const int c = columnOf(j) + column;
      const float b0 = kMajor ? b[k * strideB + c] : b[c * strideB + k];
      const float b1 = kMajor ? b[k * strideB + c + 1] : b[(c + 1) * strideB + k];
      sums[j][0] += a0 * b0;
      sums[j][1] += a0 * b1;
      sums[j][2] += a1 * b0;
      sums[j][3] += a1 * b1;
    }
  }
}

/// previous (B,H) with the stride ldp: the hidden states before, or null for zeros; recurrent (4H,H) with the stride
/// ldw; the others: see ForwardStep. Grid: (H/16, B/32), 128 threads.
extern "C" __global__ void __launch_bounds__(128)
    lstmForward(int B, int H, const float* previous, int ldp, const float* recurrent, int ldw, float* gates,
                const float* previousCell, float* cell, float* hidden, u16* rounded, int ldr) {
  constexpr int stride = kDepth + 4, sizeA = kSequences * stride, sizeB = 4 * kUnits * stride;
  const ForwardStep s{gates, previousCell, cell, hidden, rounded, ldr};
  float* tiles = sharedMemory<float>();
  const int sequence0 = blockIdx.y * kSequences, unit0 = blockIdx.x * kUnits;
  const int steps = previous ? (H + kDepth - 1) / kDepth : 0;
  const auto load = [&](int step) {
    if (step < steps) {
      const int k = step * kDepth;
      float *a = tiles + step % 2 * (sizeA + sizeB), *b = a + sizeA;
      copyTile<float, kSequences, kDepth, stride, 128>(a, previous + static_cast<size_t>(sequence0) * ldp + k, ldp,
                                                       B - sequence0, H - k);
      for (int q = 0; q < 4; q++)
        copyTile<float, kUnits, kDepth, stride, 128>(
            b + q * kUnits * stride, recurrent + (static_cast<size_t>(q) * H + unit0) * ldw + k, ldw, H - unit0, H - k);
    }
    copyCommit();
  };
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, m = warp / 2 * 16, n = warp % 2 * 8;
  float sums[4][4] = {};
  load(0);
  for (int step = 0; step < steps; step++) {
    load(step + 1);
    copyWait<1>();
    __syncthreads();
    const float* a = tiles + step % 2 * (sizeA + sizeB);
    multiplyStep<false, 4, stride, stride>(sums, a, a + sizeA, m, [&](int q) { return q * kUnits + n; });
    __syncthreads();  // before the tile is overwritten
  }
#pragma unroll
  for (int h = 0; h < 4; h++) {
    const int b = sequence0 + m + lane / 4 + h / 2 * 8, u = unit0 + n + lane % 4 * 2 + h % 2;
    computeCell(s, B, H, b, u, loadCell(s, B, H, b, u), {sums[0][h], sums[1][h], sums[2][h], sums[3][h]});
  }
}

/// One time step of backpropagation. dgatesNext (B,4H) with the stride ldg: of the time step after this, or null if
/// there is none; recurrent (4H,H) with the stride ldw; the others: see BackwardStep. Grid: (H/32, B/32), 128 threads.
extern "C" __global__ void __launch_bounds__(128)
    lstmBackward(int B, int H, const float* dhidden, const float* dgatesNext, int ldg, const float* recurrent, int ldw,
                 float* gates, const float* cell, const float* previousCell, float* dcell, u16* rounded, int ldr) {
  constexpr int units = 32;
  constexpr int strideA = kDepth + 4, strideB = units + 4, sizeA = kSequences * strideA, sizeB = kDepth * strideB;
  const BackwardStep s{dhidden, gates, cell, previousCell, dcell, rounded, ldr};
  float* tiles = sharedMemory<float>();
  const int sequence0 = blockIdx.y * kSequences, unit0 = blockIdx.x * units;
  const int steps = dgatesNext ? (4 * H + kDepth - 1) / kDepth : 0;
  const auto load = [&](int step) {
    if (step < steps) {
      const int k = step * kDepth;
      float *a = tiles + step % 2 * (sizeA + sizeB), *b = a + sizeA;
      copyTile<float, kSequences, kDepth, strideA, 128>(a, dgatesNext + static_cast<size_t>(sequence0) * ldg + k, ldg,
                                                        B - sequence0, 4 * H - k);
      copyTile<float, kDepth, units, strideB, 128>(b, recurrent + static_cast<size_t>(k) * ldw + unit0, ldw, 4 * H - k,
                                                   H - unit0);
    }
    copyCommit();
  };
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, m = warp / 2 * 16, n = warp % 2 * 16;
  float sums[2][4] = {};
  load(0);
  for (int step = 0; step < steps; step++) {
    load(step + 1);
    copyWait<1>();
    __syncthreads();
    const float* a = tiles + step % 2 * (sizeA + sizeB);
    multiplyStep<true, 2, strideA, strideB>(sums, a, a + sizeA, m, [&](int j) { return n + j * 8; });
    __syncthreads();
  }
#pragma unroll
  for (int j = 0; j < 2; j++)
#pragma unroll
    for (int h = 0; h < 4; h++) {
      const int b = sequence0 + m + lane / 4 + h / 2 * 8, u = unit0 + n + j * 8 + lane % 4 * 2 + h % 2;
      computeGradient(s, B, H, b, u, loadState(s, B, H, b, u), sums[j][h]);
    }
}
