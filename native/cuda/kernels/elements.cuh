// Kernels over elements: embeddings and their gradients, dropout, rotary positions, copies.
#pragma once
#include "math.cuh"

/// tokens (rows), embedding (V,C), positions (T,C) or null → x (rows,C), rounded (rows,C) with the stride ldr; either
/// may be null. Row r is at position r % T, or at *position if it is not null.
extern "C" __global__ void embed(int rows, int T, int C, const u32* tokens, const float* embedding,
                                 const float* positions, const u32* position, float* x, u16* rounded, int ldr) {
  const size_t i = threadNumber();
  if (i >= static_cast<size_t>(rows) * C) return;
  const int row = static_cast<int>(i / C), c = static_cast<int>(i % C);
  float value = embedding[static_cast<size_t>(tokens[row]) * C + c];
  if (positions) value += positions[static_cast<size_t>(position ? *position : row % T) * C + c];
  if (x) x[i] = value;
  if (rounded) rounded[static_cast<size_t>(row) * ldr + c] = toBf16(value);
}

/// First part of the gradient of an embedding: sums over segments. rows: row indices of dx (·,C), sorted by token. A
/// segment is a range of `rows` with one token: it begins at segments[2·s] and ends before segments[2·s + 1] →
/// partials (segments,C). A block for each segment.
extern "C" __global__ void embedSegments(int C, const float* dx, const u32* rows, const u32* segments,
                                         float* partials) {
  const u32 begin = segments[2 * blockIdx.x], end = segments[2 * blockIdx.x + 1];
  for (int c = threadIdx.x; c < C; c += blockDim.x) {
    float sum = 0;
    for (u32 i = begin; i < end; i++) sum += dx[static_cast<size_t>(rows[i]) * C + c];
    partials[static_cast<size_t>(blockIdx.x) * C + c] = sum;
  }
}

/// Second part of the gradient of an embedding: adds up the segments of each token. firstSegment (V + 1): token v has
/// the segments from firstSegment[v] to firstSegment[v + 1] − 1 → gradient (V,C) +=. A block for each token.
extern "C" __global__ void embedTokens(int C, const u32* firstSegment, const float* partials, float* gradient) {
  const u32 begin = firstSegment[blockIdx.x], end = firstSegment[blockIdx.x + 1];
  if (begin == end) return;
  for (int c = threadIdx.x; c < C; c += blockDim.x) {
    float* at = gradient + static_cast<size_t>(blockIdx.x) * C + c;
    float sum = *at;
    for (u32 s = begin; s < end; s++) sum += partials[static_cast<size_t>(s) * C + c];
    *at = sum;
  }
}

/// Dropout with the native engine's masks. x, out and addend (or null) are `units` arrays of n numbers: out =
/// dropout(x) + addend. out may be x or addend. rounded, if not null: out as rows of C numbers with the stride ldr, in
/// bf16.
///
/// Unit u has the mask of row u / sequences and of sequence firstSequence + u % sequences. In a GPT, a unit is a whole
/// sequence (units = sequences). In an LSTM, a unit is a row in time-major order. A thread for each Philox counter,
/// which gives 8 numbers.
extern "C" __global__ void dropout(int units, int n, int sequences, u32 firstSequence, const float* x,
                                   const float* addend, float* out, int C, u16* rounded, int ldr, const u32* step,
                                   u32 threshold, u32 site) {
  const int counters = (n + 127) / 128 * 16;
  const size_t index = threadNumber(), unit = index / counters;
  if (unit >= static_cast<size_t>(units)) return;
  const u32 counter = static_cast<u32>(index % counters), chunk = counter / 16, first = chunk * 128 + counter % 16;
  u32 words[4];
  maskWords({step, threshold, site}, chunk, counter % 16, static_cast<u32>(unit / sequences),
            firstSequence + static_cast<u32>(unit % sequences), words);
  const float scale = keptScale(threshold);
#pragma unroll
  for (int place = 0; place < 8; place++) {
    const u32 element = first + place * 16;
    if (element >= static_cast<u32>(n)) continue;
    const u32 word = words[place / 2], number = place % 2 ? word >> 16 : word & 0xffffu;
    const size_t at = unit * n + element;
    float value = number >= threshold ? x[at] * scale : 0.0f;
    if (addend) value += addend[at];
    if (out) out[at] = value;
    if (rounded) rounded[at / C * ldr + at % C] = toBf16(value);
  }
}

/// Rotary positions (Su et al. 2021): rotates each q and k within qkv (rows,3C), in place. Dimension i of a head of D
/// is paired with i + D/2. cosines and sines (T,D/2); row r is at position r % T, or at *position if it is not null.
/// direction: 1, or −1 for the inverse, which the backward pass needs. rounded (rows,3C) with the stride ldr, or null.
extern "C" __global__ void rotate(int rows, int T, int C, int D, const float* cosines, const float* sines,
                                  float direction, const u32* position, float* qkv, u16* rounded, int ldr) {
  const size_t i = threadNumber();
  if (i >= static_cast<size_t>(rows) * C) return;  // a thread for each pair of dimensions of q and of k
  const int row = static_cast<int>(i / C), pair = static_cast<int>(i % C), half = D / 2;
  const int head = pair / half, d = pair % half;  // the heads of q and then those of k
  const size_t angle = static_cast<size_t>(position ? *position : row % T) * half + d;
  const float c = cosines[angle], s = sines[angle] * direction;
  const int column = head * D + d;
  float* at = qkv + static_cast<size_t>(row) * 3 * C + column;
  const float first = at[0], second = at[half];
  at[0] = first * c - second * s;
  at[half] = second * c + first * s;
  if (!rounded) return;
  u16* to = rounded + static_cast<size_t>(row) * ldr + column;
  to[0] = toBf16(at[0]);
  to[half] = toBf16(at[half]);
}

/// x (rows,C) with the stride ldx → rounded (rows,C) in bf16 with the stride ldr.
extern "C" __global__ void roundRows(int rows, int C, const float* x, int ldx, u16* rounded, int ldr) {
  const size_t i = threadNumber();
  if (i >= static_cast<size_t>(rows) * C) return;
  rounded[i / C * ldr + i % C] = toBf16(x[i / C * ldx + i % C]);
}

/// out (n) = value.
extern "C" __global__ void fill(u64 n, float value, float* out) {
  const size_t i = threadNumber();
  if (i < n) out[i] = value;
}

/// out (n) = a + b.
extern "C" __global__ void add(u64 n, const float* a, const float* b, float* out) {
  const size_t i = threadNumber();
  if (i < n) out[i] = a[i] + b[i];
}

/// x (n) → out (n).
extern "C" __global__ void copy(u64 n, const float* x, float* out) {
  const size_t i = threadNumber();
  if (i < n) out[i] = x[i];
}
