// LSTM (Hochreiter and Schmidhuber 1997; gates i f g o), one time step of all sequences in a launch: the product with
// the recurrent weights, and the cells. The products with a layer's inputs are made for all time steps before.
//
// A block of 128 threads computes 32 sequences × 16 units forward, 32 × 32 backward. A warp computes fragments of 16
// sequences × 8 numbers, laid out as in products.cuh, so that a lane holds all four gates of its sequences and units.
// T is float, or u16 for bf16.
#pragma once
#include "products.cuh"

constexpr int kSequences = 32;
constexpr int kUnits = 16;  // of a block, forward
constexpr int kDepth = 32;  // of a tile of K

/// sums (16, 8·n) of a warp += A·B over a tile of K. a (32,kDepth): rows m … m + 15. b: see the two uses.
/// columnOf(j): the first row (or column, if kMajor) of b of fragment j.
template <bool kMajor, int n, int strideA, int strideB, class F>
__device__ __forceinline__ void multiplyStep(float (&sums)[n][4], const u16* a, const u16* b, int m, F columnOf) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    u32 fa[4];
    loadFragmentA<false, strideA>(fa, a, m, k);
#pragma unroll
    for (int j = 0; j < n; j += 2) {
      u32 fb[4];
      const int first = columnOf(j + lane / 16);  // lanes 16 … 31 give the addresses of the second fragment
      if (kMajor)
        loadMatricesTransposed(fb, b + (k + lane % 16) * strideB + first);
      else
        loadMatrices(fb, b + (first + lane % 8) * strideB + k + lane / 8 % 2 * 8);
      multiplyAdd(sums[j], fa, fb[0], fb[1]);
      multiplyAdd(sums[j + 1], fa, fb[2], fb[3]);
    }
  }
}
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
/// ldw; gates (B,4H): the products with the inputs, with biases; previousCell (B,H) or null for zeros → gates after
/// their nonlinearities, cell (B,H), hidden (B,H), and rounded (B,H) with the stride ldr if it is not null. Grid:
/// (H/16, B/32), 128 threads.
template <class T>
__device__ __forceinline__ void lstmForwardStep(int B, int H, const T* previous, int ldp, const T* recurrent, int ldw,
                                                float* gates, const float* previousCell, float* cell, float* hidden,
                                                u16* rounded, int ldr) {
  constexpr int stride = kDepth + 16 / static_cast<int>(sizeof(T));
  constexpr int sizeA = kSequences * stride, sizeB = 4 * kUnits * stride;
  T* tiles = sharedMemory<T>();
  const int sequence0 = blockIdx.y * kSequences, unit0 = blockIdx.x * kUnits;
  const int steps = previous ? (H + kDepth - 1) / kDepth : 0;
  const auto load = [&](int step) {
    if (step < steps) {
      const int k = step * kDepth;
      T *a = tiles + step % 2 * (sizeA + sizeB), *b = a + sizeA;
      copyTile<T, kSequences, kDepth, stride, 128>(a, previous + static_cast<size_t>(sequence0) * ldp + k, ldp,
                                                   B - sequence0, H - k);
      for (int q = 0; q < 4; q++)
        copyTile<T, kUnits, kDepth, stride, 128>(
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
    const T* a = tiles + step % 2 * (sizeA + sizeB);
    multiplyStep<false, 4, stride, stride>(sums, a, a + sizeA, m, [&](int q) { return q * kUnits + n; });
    __syncthreads();  // before the tile is overwritten
  }
#pragma unroll
  for (int h = 0; h < 4; h++) {
    const int b = sequence0 + m + lane / 4 + h / 2 * 8, u = unit0 + n + lane % 4 * 2 + h % 2;
    if (b >= B || u >= H) continue;
    float* g = gates + static_cast<size_t>(b) * 4 * H + u;
    const size_t at = static_cast<size_t>(b) * H + u;
    const float i = sigmoid(g[0] + sums[0][h]), f = sigmoid(g[H] + sums[1][h]);
    const float candidate = tanhf(g[2 * H] + sums[2][h]), o = sigmoid(g[3 * H] + sums[3][h]);
    const float c = i * candidate + (previousCell ? f * previousCell[at] : 0.0f), out = o * tanhf(c);
    g[0] = i;
    g[H] = f;
    g[2 * H] = candidate;
    g[3 * H] = o;
    cell[at] = c;
    hidden[at] = out;
    if (rounded) rounded[static_cast<size_t>(b) * ldr + u] = toBf16(out);
  }
}

/// One time step of backpropagation. dhidden (B,H): the gradient of the outputs of this time step from above;
/// dgatesNext (B,4H) with the stride ldg: of the time step after this, or null if there is none; recurrent (4H,H) with
/// the stride ldw; gates, cell of this time step, previousCell (or null); dcell (B,H) → gates become their gradients
/// before the nonlinearities, dcell becomes the gradient for the time step before, and rounded (B,4H) with the stride
/// ldr is the gates' gradients in bf16, if it is not null. Grid: (H/32, B/32), 128 threads.
template <class T>
__device__ __forceinline__ void lstmBackwardStep(int B, int H, const float* dhidden, const T* dgatesNext, int ldg,
                                                 const T* recurrent, int ldw, float* gates, const float* cell,
                                                 const float* previousCell, float* dcell, u16* rounded, int ldr) {
  constexpr int units = 32;
  constexpr int strideA = kDepth + 16 / static_cast<int>(sizeof(T)), strideB = units + 16 / static_cast<int>(sizeof(T));
  constexpr int sizeA = kSequences * strideA, sizeB = kDepth * strideB;
  T* tiles = sharedMemory<T>();
  const int sequence0 = blockIdx.y * kSequences, unit0 = blockIdx.x * units;
  const int steps = dgatesNext ? (4 * H + kDepth - 1) / kDepth : 0;
  const auto load = [&](int step) {
    if (step < steps) {
      const int k = step * kDepth;
      T *a = tiles + step % 2 * (sizeA + sizeB), *b = a + sizeA;
      copyTile<T, kSequences, kDepth, strideA, 128>(a, dgatesNext + static_cast<size_t>(sequence0) * ldg + k, ldg,
                                                    B - sequence0, 4 * H - k);
      copyTile<T, kDepth, units, strideB, 128>(b, recurrent + static_cast<size_t>(k) * ldw + unit0, ldw, 4 * H - k,
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
    const T* a = tiles + step % 2 * (sizeA + sizeB);
    multiplyStep<true, 2, strideA, strideB>(sums, a, a + sizeA, m, [&](int j) { return n + j * 8; });
    __syncthreads();
  }
#pragma unroll
  for (int j = 0; j < 2; j++)
#pragma unroll
    for (int h = 0; h < 4; h++) {
      const int b = sequence0 + m + lane / 4 + h / 2 * 8, u = unit0 + n + j * 8 + lane % 4 * 2 + h % 2;
      if (b >= B || u >= H) continue;
      const size_t at = static_cast<size_t>(b) * H + u;
      float* gate = gates + static_cast<size_t>(b) * 4 * H + u;
      const float i = gate[0], f = gate[H], g = gate[2 * H], o = gate[3 * H], t = tanhf(cell[at]);
      const float dh = dhidden[at] + sums[j][h], previous = previousCell ? previousCell[at] : 0.0f;
      const float dc = dcell[at] + dh * o * (1.0f - t * t);
      const float d[4] = {dc * g * i * (1.0f - i), dc * previous * f * (1.0f - f), dc * i * (1.0f - g * g),
                          dh * t * o * (1.0f - o)};
      dcell[at] = dc * f;
#pragma unroll
      for (int q = 0; q < 4; q++) {
        gate[q * H] = d[q];
        if (rounded) rounded[static_cast<size_t>(b) * ldr + q * H + u] = toBf16(d[q]);
      }
    }
}

#define LSTM(suffix, T)                                                                                            \
  extern "C" __global__ void __launch_bounds__(128)                                                                \
      lstmForward##suffix(int B, int H, const T* previous, int ldp, const T* recurrent, int ldw, float* gates,     \
                          const float* previousCell, float* cell, float* hidden, u16* rounded, int ldr) {          \
    lstmForwardStep<T>(B, H, previous, ldp, recurrent, ldw, gates, previousCell, cell, hidden, rounded, ldr);      \
  }                                                                                                                \
  extern "C" __global__ void __launch_bounds__(128) lstmBackward##suffix(                                          \
      int B, int H, const float* dhidden, const T* dgatesNext, int ldg, const T* recurrent, int ldw, float* gates, \
      const float* cell, const float* previousCell, float* dcell, u16* rounded, int ldr) {                         \
    lstmBackwardStep<T>(B, H, dhidden, dgatesNext, ldg, recurrent, ldw, gates, cell, previousCell, dcell, rounded, \
                        ldr);                                                                                      \
  }
LSTM(, float)
LSTM(Bf16, u16)
#undef LSTM
