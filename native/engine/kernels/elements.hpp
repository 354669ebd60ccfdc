// Element-wise kernels: GELU, dropout, the LSTM cell, AdamW. Contracts are in kernels.hpp.
#pragma once
#include "kernels.hpp"
#include "math.hpp"

namespace {

// GELU in its tanh form (Hendrycks and Gimpel 2016) is x·σ(2u) with u = √(2/π)·(x + 0.044715·x³), because (1 + tanh
// u)/2 = σ(2u) = 1/(1 + 2^(−2u/ln 2)).
constexpr float kGelu = 1.5957691216f;        // 2·√(2/π)
constexpr float kGeluCubic = 0.07135481627f;  // 2·√(2/π)·0.044715

// σ(2u), given x and x².
INLINE vf geluSigmoid(vf x, vf square) {
  return 1.0f / (1.0f + powerOfTwo(x * (square * (-kGeluCubic * kLog2E) - kGelu * kLog2E)));
}

// x (n) → out (n) = x·σ(2u)
static void gelu(long n, const float* x, float* out) {
  forVectors(n, [&](long i, int lanes) {
    const vf v = loadLanes(x + i, lanes);
    storeLanes(out + i, v * geluSigmoid(v, v * v), lanes);
  });
}

// x (n), dout (n) → out (n) = gelu(x), dout (n) = gradient of x
static void geluBackward(long n, const float* x, float* out, float* dout) {
  forVectors(n, [&](long i, int lanes) {
    const vf v = loadLanes(x + i, lanes);
    const vf square = v * v;
    const vf s = geluSigmoid(v, square);
    const vf y = v * s;
    storeLanes(out + i, y, lanes);
    const vf slope = s + (y - y * s) * (square * (3 * kGeluCubic) + kGelu);
    storeLanes(dout + i, loadLanes(dout + i, lanes) * slope, lanes);
  });
}

// x (n) → sum (n) += x
static void add(long n, const float* x, float* sum) {
  forVectors(
      n, [&](long i, int lanes) { storeLanes(sum + i, loadLanes(sum + i, lanes) + loadLanes(x + i, lanes), lanes); });
}

// Philox-4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011). A chunk of 128 elements takes 16
// counters. Each counter gives 8 numbers of 16 bits. The layout is the same for every instruction set: half h of word w
// of counter i decides about element 32·w + 16·h + i.
constexpr int kChunk = 128;
constexpr int kCounters = 16;

// Ten rounds on counters in the low halves of 64-bit lanes. The high halves are ignored.
INLINE void philox(vl c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const vl first = multiplyLow(c[0], 0xD2511F53u), second = multiplyLow(c[2], 0xCD9E8D57u);
    c[0] = (second >> 32) ^ c[1] ^ k0;
    c[2] = (first >> 32) ^ c[3] ^ k1;
    c[1] = second;
    c[3] = first;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// Writes the 16-bit random numbers of 128 elements to bits (128), one in each.
INLINE void maskBits(uint32_t chunk, uint32_t row, engine::MaskKey key, uint32_t* bits) {
  for (int first = 0; first < kCounters; first += W) {
    // Even counters are in one vector and odd counters in another. Together they fill W lanes of 32 bits.
    vl even[4] = {}, odd[4];
    for (int i = 0; i < W / 2; i++) even[0][i] = chunk * kCounters + first + 2 * i;
    odd[0] = even[0] + 1;
    even[1] = odd[1] = vl{} + row;
    even[2] = odd[2] = vl{} + key.sequence;
    even[3] = odd[3] = vl{} + key.site;
    philox(even, key.seed, key.step);
    philox(odd, key.seed, key.step);
    for (int w = 0; w < 4; w++) {
      const vu words = (vu)((even[w] & 0xffffffffu) | (odd[w] << 32));
      const vu low = words & 0xffffu, high = words >> 16;
      memcpy(bits + 32 * w + first, &low, sizeof low);
      memcpy(bits + 32 * w + 16 + first, &high, sizeof high);
    }
  }
}

// x (n) → out (n) = x · 65536/(65536 − threshold) where the number of an element is at least threshold, else 0.
INLINE void dropoutRow(long n, const float* x, float* out, uint32_t row, uint32_t threshold, engine::MaskKey key) {
  const float scale = 65536.0f / (65536 - threshold);
  uint32_t bits[kChunk];
  for (long start = 0; start < n; start += kChunk) {
    maskBits(static_cast<uint32_t>(start / kChunk), row, key, bits);
    forVectors(n - start < kChunk ? n - start : kChunk, [&](long i, int lanes) {
      vi number;
      memcpy(&number, bits + i, sizeof number);
      const vi kept = number >= static_cast<int32_t>(threshold);
      storeLanes(out + start + i, select(kept, loadLanes(x + start + i, lanes) * scale, vf{}), lanes);
    });
  }
}

// x (n) → out (n), by the mask of row 0. See Kernels::dropout.
static void dropout(long n, const float* x, float* out, uint32_t threshold, engine::MaskKey key) {
  dropoutRow(n, x, out, 0, threshold, key);
}

// x (rows,keys) → out (rows,keys), rows `stride` apart, by the masks of rows firstRow, firstRow + 1, …
static void dropoutRows(int rows, int keys, const float* x, float* out, long stride, uint32_t firstRow,
                        uint32_t threshold, engine::MaskKey key) {
  for (int r = 0; r < rows; r++) dropoutRow(keys, x + r * stride, out + r * stride, firstRow + r, threshold, key);
}

// gates (B,4H: i f g o), previousCell (B,H) or null → gates after their nonlinearities, cell, tanhCell, hidden (B,H).
// See Kernels::lstmCell.
static void lstmCell(int B, int H, float* gates, const float* previousCell, float* cell, float* tanhCell,
                     float* hidden) {
  for (int b = 0; b < B; b++, gates += 4 * H, cell += H, tanhCell += H, hidden += H) {
    forVectors(H, [&](long j, int n) {
      const vf i = sigmoid(loadLanes(gates + j, n));
      const vf f = sigmoid(loadLanes(gates + H + j, n));
      const vf g = hyperbolicTangent(loadLanes(gates + 2 * H + j, n));
      const vf o = sigmoid(loadLanes(gates + 3 * H + j, n));
      const vf previous = previousCell ? loadLanes(previousCell + j, n) : vf{};
      const vf c = multiplyAdd(f, previous, i * g);
      const vf t = hyperbolicTangent(c);
      storeLanes(gates + j, i, n);
      storeLanes(gates + H + j, f, n);
      storeLanes(gates + 2 * H + j, g, n);
      storeLanes(gates + 3 * H + j, o, n);
      storeLanes(cell + j, c, n);
      storeLanes(tanhCell + j, t, n);
      storeLanes(hidden + j, o * t, n);
    });
    if (previousCell) previousCell += H;
  }
}

// gates (B,4H), previousCell (B,H) or null, tanhCell, dhidden (B,H) → gates become dgates (B,4H), dcell (B,H) becomes
// the gradient for the previous time step. See Kernels::lstmCellBackward.
static void lstmCellBackward(int B, int H, float* gates, const float* previousCell, const float* tanhCell,
                             const float* dhidden, float* dcell) {
  for (int b = 0; b < B; b++, gates += 4 * H, tanhCell += H, dhidden += H, dcell += H) {
    forVectors(H, [&](long j, int n) {
      const vf i = loadLanes(gates + j, n), f = loadLanes(gates + H + j, n);
      const vf g = loadLanes(gates + 2 * H + j, n), o = loadLanes(gates + 3 * H + j, n);
      const vf t = loadLanes(tanhCell + j, n), dh = loadLanes(dhidden + j, n);
      const vf previous = previousCell ? loadLanes(previousCell + j, n) : vf{};
      const vf dc = multiplyAdd(dh * o, 1.0f - t * t, loadLanes(dcell + j, n));
      storeLanes(gates + j, dc * g * i * (1.0f - i), n);
      storeLanes(gates + H + j, dc * previous * f * (1.0f - f), n);
      storeLanes(gates + 2 * H + j, dc * i * (1.0f - g * g), n);
      storeLanes(gates + 3 * H + j, dh * t * o * (1.0f - o), n);
      storeLanes(dcell + j, dc * f, n);
    });
    if (previousCell) previousCell += H;
  }
}

// x (n) → Σ x²
static double sumOfSquares(long n, const float* x) {
  double total = 0;
  // Sums 1024 elements at a time in float vectors, and adds up these sums in double.
  for (long start = 0; start < n; start += 1024) {
    total += sumLanes(sumAlong(n - start < 1024 ? n - start : 1024, [&](vf sum, long i, int lanes) {
      const vf v = loadLanes(x + start + i, lanes);
      return multiplyAdd(v, v, sum);
    }));
  }
  return total;
}

// AdamW (Loshchilov and Hutter 2019), as torch.optim.AdamW computes it.
static void adamw(long n, float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v,
                  engine::AdamW s) {
  const float decay = 1.0f - s.learningRate * s.weightDecay;
  const float stepSize = s.learningRate / s.correction1;
  const float invSqrtCorrection2 = 1.0f / __builtin_sqrtf(s.correction2);
  forVectors(n, [&](long i, int lanes) {
    const vf gradient = loadLanes(g + i, lanes) * s.gradientScale, before = loadLanes(m + i, lanes);
    const vf firstMoment = multiplyAdd(gradient - before, splat(1.0f - s.beta1), before);
    const vf square = gradient * gradient * (1.0f - s.beta2);
    const vf secondMoment = multiplyAdd(loadLanes(v + i, lanes), splat(s.beta2), square);
    storeLanes(m + i, firstMoment, lanes);
    storeLanes(v + i, secondMoment, lanes);
    const vf root = multiplyAdd(squareRoot(secondMoment), splat(invSqrtCorrection2), splat(s.epsilon));
    const vf update = firstMoment * stepSize / root;
    storeLanes(w + i, multiplyAdd(loadLanes(w + i, lanes), splat(decay), -update), lanes);
  });
}

// Runs n rounds of kSums independent multiply-adds. Returns the number of operations.
static double multiplyAdds(long n) {
  constexpr int kSums = 12;
  vf sum[kSums], x = splat(0.999f);
  for (int i = 0; i < kSums; i++) sum[i] = splat(1.0f + i);
  for (long round = 0; round < n; round++) {
#if defined(__x86_64__)
    asm volatile("" : "+x"(x));
#endif
#pragma GCC unroll 12
    for (int i = 0; i < kSums; i++) sum[i] = sum[i] * x + x;
  }
  for (int i = 1; i < kSums; i++) sum[0] += sum[i];
  // Uses the sum, so that the compiler cannot remove the loop.
  return 2.0 * W * kSums * n + (sumLanes(sum[0]) < 0 ? 1 : 0);
}

// exp, tanh and sigmoid of x (n) → out (n), for the tests.
static void exponentialArray(long n, const float* x, float* out) {
  forVectors(n, [&](long i, int lanes) { storeLanes(out + i, exponential(loadLanes(x + i, lanes)), lanes); });
}
static void tanhArray(long n, const float* x, float* out) {
  forVectors(n, [&](long i, int lanes) { storeLanes(out + i, hyperbolicTangent(loadLanes(x + i, lanes)), lanes); });
}
static void sigmoidArray(long n, const float* x, float* out) {
  forVectors(n, [&](long i, int lanes) { storeLanes(out + i, sigmoid(loadLanes(x + i, lanes)), lanes); });
}

}  // namespace
