// Exercises attention.cuh and attention-backward.cuh.
#pragma once
#include "../kernels/attention-backward.cuh"
#include "../kernels/attention-bf16.cuh"
#include "../kernels/attention.cuh"
#include "elements.hpp"

namespace {

/// Attention of all heads in doubles, and its gradient.
struct AttentionReference {
  Doubles out, logSums, delta, dqkv;
};
AttentionReference attentionReference(int B, int T, int heads, int D, double scale, const Floats& qkv,
                                      const Floats& dout,
                                      const std::function<double(int b, int head, int query, int key)>& mask) {
  const int C = heads * D;
  AttentionReference a{Doubles(B * T * C), Doubles(B * heads * T), Doubles(B * heads * T), Doubles(B * T * 3 * C)};
  for (int b = 0; b < B; b++)
    for (int h = 0; h < heads; h++)
      for (int i = 0; i < T; i++) {
        const auto at = [&](int t, int part, int d) { return (b * T + t) * 3 * C + part * C + h * D + d; };
        const int row = (b * T + i) * C + h * D;
        Doubles p(i + 1), dp(i + 1);
        double sum = 0, delta = 0;
        for (int j = 0; j <= i; j++) {
          for (int d = 0; d < D; d++) p[j] += static_cast<double>(qkv[at(i, 0, d)]) * qkv[at(j, 1, d)] * scale;
          sum += p[j] = std::exp(p[j]);
        }
        for (int j = 0; j <= i; j++) {
          p[j] /= sum;
          const double m = mask(b, h, i, j);
          for (int d = 0; d < D; d++) {
            a.out[row + d] += p[j] * m * qkv[at(j, 2, d)];
            dp[j] += static_cast<double>(dout[row + d]) * qkv[at(j, 2, d)] * m;
            a.dqkv[at(j, 2, d)] += p[j] * m * dout[row + d];
          }
        }
        for (int d = 0; d < D; d++) delta += a.out[row + d] * dout[row + d];
        a.logSums[(b * heads + h) * T + i] = std::log(sum);
        a.delta[(b * heads + h) * T + i] = delta;
        for (int j = 0; j <= i; j++)
          for (int d = 0; d < D; d++) {
            a.dqkv[at(i, 0, d)] += p[j] * (dp[j] - delta) * scale * qkv[at(j, 1, d)];
            a.dqkv[at(j, 1, d)] += p[j] * (dp[j] - delta) * scale * qkv[at(i, 0, d)];
          }
      }
  return a;
}

void exerciseAttentionOf(int B, int T, int heads, int D, u32 threshold) {
  const int C = heads * D;
  const float scale = 1 / std::sqrt(static_cast<float>(D));
  const Floats qkv = randomFloats(B * T * 3 * C, 2), dout = randomFloats(B * T * C);
  const u32 step[2] = {5, 6}, site = 4, firstSequence = 7;
  const auto mask = [&](int b, int head, int query, int key) {
    const int tiles = (T + 63) / 64;
    return threshold ? maskOf(5, 6, site, threshold, key % 64 * 64 + query % 64,
                              (head * tiles + query / 64) * tiles + key / 64, firstSequence + b)
                     : 1;
  };
  const AttentionReference expected = attentionReference(B, T, heads, D, scale, qkv, dout, mask);
  const std::string name = "attention " + std::to_string(B) + "x" + std::to_string(T) + "x" + std::to_string(heads) +
                           "x" + std::to_string(D) + (threshold ? " with dropout" : "");
  Floats out = nan(B * T * C), logSums = nan(B * heads * T), delta = nan(B * heads * T), dqkv = nan(B * T * 3 * C);
  Halves half = emptyHalves(B * T, C), dhalf = emptyHalves(B * T, 3 * C);
  const shim::Dimensions grid = {blocks(T, 32) * partsOf(D), static_cast<unsigned>(heads), static_cast<unsigned>(B)};
  const size_t tile = 32 * tileStride(std::min(D, kPart)) * sizeof(float), scores = 32 * kScoreStride * sizeof(float);
  shim::launch(grid, 128, 3 * tile + scores, [&] {
    attention(T, C, D, scale, qkv.data(), out.data(), half.data(), strideOf(C), logSums.data(), step, threshold, site,
              firstSequence);
  });
  compare(name, out, expected.out, 3e-6);
  compare(name + ", rounded", unpadded(half, B * T, C), expected.out, 5e-3);
  compare(name + ", logSums", logSums, expected.logSums, 3e-6);
  shim::launch({blocks(B * T * heads, 8), 1, 1}, 256, 0,
               [&] { attentionDelta(B, T, C, heads, out.data(), dout.data(), delta.data()); });
  compare(name + ", delta", delta, expected.delta, 1e-5);
  shim::launch(grid, 128, 4 * tile + 2 * scores, [&] {
    attentionBackwardKeys(T, C, D, scale, qkv.data(), dout.data(), logSums.data(), delta.data(), dqkv.data(),
                          dhalf.data(), strideOf(3 * C), step, threshold, site, firstSequence);
  });
  shim::launch(grid, 128, 4 * tile + scores, [&] {
    attentionBackwardQueries(T, C, D, scale, qkv.data(), dout.data(), logSums.data(), delta.data(), dqkv.data(),
                             dhalf.data(), strideOf(3 * C), step, threshold, site, firstSequence);
  });
  compare(name + ", gradient", dqkv, expected.dqkv, 1e-5);
  compare(name + ", gradient rounded", unpadded(dhalf, B * T, 3 * C), expected.dqkv, 5e-3);
}

/// Exercises attention on tensor cores. The reference computes with the rounded inputs.
void exerciseAttentionBf16(int B, int T, int heads, int D, u32 threshold) {
  const int C = heads * D;
  const float scale = 1 / std::sqrt(static_cast<float>(D));
  Floats qkv = randomFloats(B * T * 3 * C, 2), dout = randomFloats(B * T * C);
  const Halves qkvHalf = padded(qkv, B * T, 3 * C), doutHalf = padded(dout, B * T, C);
  for (float& x : qkv) x = rounded(x);
  for (float& x : dout) x = rounded(x);
  const u32 step[2] = {5, 6}, site = 4, firstSequence = 7;
  const auto mask = [&](int b, int head, int query, int key) {
    const int tiles = (T + 63) / 64;
    return threshold ? maskOf(5, 6, site, threshold, key % 64 * 64 + query % 64,
                              (head * tiles + query / 64) * tiles + key / 64, firstSequence + b)
                     : 1;
  };
  const AttentionReference expected = attentionReference(B, T, heads, D, scale, qkv, dout, mask);
  const std::string name = "attention bf16 " + std::to_string(B) + "x" + std::to_string(T) + "x" +
                           std::to_string(heads) + "x" + std::to_string(D) + (threshold ? " with dropout" : "");
  Floats out = nan(B * T * C), logSums = nan(B * heads * T), delta = nan(B * heads * T), dqkv = nan(B * T * 3 * C);
  for (size_t i = 0; i < delta.size(); i++) delta[i] = static_cast<float>(expected.delta[i]);
  Halves half = emptyHalves(B * T, C), dhalf = emptyHalves(B * T, 3 * C);
  const shim::Dimensions grid = {blocks(T, 64) * partsOf(D), static_cast<unsigned>(heads), static_cast<unsigned>(B)};
  const size_t row = halfStride(std::min(D, kPart)) * sizeof(u16);
  shim::launch(grid, 128, 3 * 64 * row, [&] {
    attentionBf16(T, C, D, scale, qkvHalf.data(), strideOf(3 * C), out.data(), half.data(), strideOf(C), logSums.data(),
                  step, threshold, site, firstSequence);
  });
  compare(name, out, expected.out, 5e-3);
  compare(name + ", rounded", unpadded(half, B * T, C), expected.out, 1e-2);
  compare(name + ", logSums", logSums, expected.logSums, 3e-6);
  shim::launch(grid, 128, 2 * (64 + 32) * row + 2 * 32 * sizeof(float), [&] {
    attentionBackwardKeysBf16(T, C, D, scale, qkvHalf.data(), strideOf(3 * C), doutHalf.data(), strideOf(C),
                              logSums.data(), delta.data(), dqkv.data(), dhalf.data(), strideOf(3 * C), step, threshold,
                              site, firstSequence);
  });
  shim::launch(grid, 128, 2 * (64 + 32) * row, [&] {
    attentionBackwardQueriesBf16(T, C, D, scale, qkvHalf.data(), strideOf(3 * C), doutHalf.data(), strideOf(C),
                                 logSums.data(), delta.data(), dqkv.data(), dhalf.data(), strideOf(3 * C), step,
                                 threshold, site, firstSequence);
  });
  compare(name + ", gradient", dqkv, expected.dqkv, 5e-3);
  compare(name + ", gradient rounded", unpadded(dhalf, B * T, 3 * C), expected.dqkv, 1e-2);
}

/// Attention token by token must give the same results as attention over the whole window.
void exerciseDecoding(int B, int T, int heads, int D) {
  const int C = heads * D;
  const float scale = 1 / std::sqrt(static_cast<float>(D));
  const Floats qkv = randomFloats(B * T * 3 * C, 2);
  const AttentionReference expected =
      attentionReference(B, T, heads, D, scale, qkv, Floats(B * T * C), [](int, int, int, int) { return 1.0; });
  const std::string name = "attentionDecode " + std::to_string(D);
  Floats keys = nan(B * T * C), values = nan(B * T * C), all(B * T * C), out = nan(B * C);
  Halves half = emptyHalves(B, C);
  for (u32 t = 0; t < static_cast<u32>(T); t++) {
    Floats row;
    for (int b = 0; b < B; b++) row.insert(row.end(), &qkv[(b * T + t) * 3 * C], &qkv[(b * T + t) * 3 * C] + 3 * C);
    shim::launch({static_cast<unsigned>(heads), static_cast<unsigned>(B), 1}, 128, (T + 4) * sizeof(float), [&] {
      attentionDecode(T, C, D, scale, &t, row.data(), keys.data(), values.data(), out.data(), half.data(), strideOf(C));
    });
    for (int i = 0; i < B * C; i++) all[(i / C * T + t) * C + i % C] = out[i];
  }
  compare(name, all, expected.out, 3e-6);
  Doubles last;
  for (int i = 0; i < B * C; i++) last.push_back(expected.out[(i / C * T + T - 1) * C + i % C]);
  compare(name + ", rounded", unpadded(half, B, C), last, 1e-2);
}

void exerciseAttention() {
  exerciseAttentionOf(1, 1, 1, 1, 0);
  exerciseAttentionOf(2, 37, 2, 12, 0);
  exerciseAttentionOf(1, 70, 2, 33, 20000);
  exerciseAttentionOf(1, 33, 1, 133, 20000);
  exerciseAttentionOf(1, 33, 1, 260, 0);
  exerciseAttentionBf16(1, 1, 1, 8, 0);
  exerciseAttentionBf16(2, 70, 2, 24, 0);
  exerciseAttentionBf16(1, 97, 2, 40, 20000);
  exerciseAttentionBf16(1, 65, 1, 136, 20000);
  exerciseAttentionBf16(1, 65, 1, 264, 0);
  exerciseDecoding(2, 7, 2, 5);
  exerciseDecoding(1, 5, 2, 260);
}

}  // namespace
