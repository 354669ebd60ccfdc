// Exercises elements.cuh.
#pragma once
#include "../kernels/elements.cuh"
#include "check.hpp"

namespace {

/// Philox-4x32-10 in 64-bit arithmetic.
std::vector<u32> philoxOf(std::vector<u64> c, u64 k0, u64 k1) {
  for (int round = 0; round < 10; round++) {
    const u64 first = c[0] * 0xD2511F53u, second = c[2] * 0xCD9E8D57u;
    c = {(second >> 32 ^ c[1] ^ k0) & 0xffffffffu, second & 0xffffffffu, (first >> 32 ^ c[3] ^ k1) & 0xffffffffu,
         first & 0xffffffffu};
    k0 = (k0 + 0x9E3779B9u) & 0xffffffffu;
    k1 = (k1 + 0xBB67AE85u) & 0xffffffffu;
  }
  return {c.begin(), c.end()};
}

/// The dropout factor of an element, as native/engine/kernels/elements.hpp defines it.
double maskOf(u32 seed, u32 step, u32 site, u32 threshold, u64 element, u64 row, u64 sequence) {
  const u64 in = element % 128;
  const u32 word = philoxOf({element / 128 * 16 + element % 16, row, sequence, site}, seed, step)[in / 32];
  const u32 number = in / 16 % 2 ? word >> 16 : word & 0xffffu;
  return number >= threshold ? 65536.0 / (65536 - threshold) : 0;
}

void exerciseDropout(int units, int n, int sequences, int C) {
  const u32 step[2] = {5, 6}, threshold = 20000, site = 9, firstSequence = 3;
  const Floats x = randomFloats(units * n), addend = randomFloats(units * n);
  Doubles expected(units * n);
  for (int i = 0; i < units * n; i++)
    expected[i] =
        addend[i] + x[i] * maskOf(5, 6, site, threshold, i % n, i / n / sequences, firstSequence + i / n % sequences);
  Floats out = nan(units * n);
  const int rows = units * n / C;
  Halves half = emptyHalves(rows, C);
  forElements(static_cast<size_t>(units) * ((n + 127) / 128 * 16), [&] {
    dropout(units, n, sequences, firstSequence, x.data(), addend.data(), out.data(), C, half.data(), strideOf(C), step,
            threshold, site);
  });
  const std::string name = "dropout " + std::to_string(units) + "x" + std::to_string(n);
  compare(name, out, expected, 1e-6);
  compare(name + ", rounded", unpadded(half, rows, C), expected, 5e-3);
}

void exerciseEmbedding(int rows, int T, int V, int C) {
  const std::string size = " " + std::to_string(rows) + "x" + std::to_string(C);
  const Floats table = randomFloats(V * C), positions = randomFloats(T * C), dx = randomFloats(rows * C);
  std::vector<u32> tokens(rows);
  for (int r = 0; r < rows; r++) tokens[r] = static_cast<u32>(r * r + r / 3) % V % (V - 1);  // the last never comes
  Doubles expected(rows * C), gradient(V * C);
  Floats gotGradient = randomFloats(V * C);
  for (int i = 0; i < V * C; i++) gradient[i] = gotGradient[i];
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < C; c++) {
      expected[r * C + c] = static_cast<double>(table[tokens[r] * C + c]) + positions[r % T * C + c];
      gradient[tokens[r] * C + c] += dx[r * C + c];
    }
  Floats x = nan(rows * C);
  Halves half = emptyHalves(rows, C);
  forElements(x.size(), [&] {
    embed(rows, T, C, tokens.data(), table.data(), positions.data(), nullptr, x.data(), half.data(), strideOf(C));
  });
  compare("embed" + size, x, expected, 1e-6);
  compare("embed" + size + ", rounded", unpadded(half, rows, C), expected, 5e-3);
  const u32 position = T - 1;
  forElements(x.size(), [&] {
    embed(rows, T, C, tokens.data(), table.data(), positions.data(), &position, x.data(), nullptr, 0);
  });
  for (int i = 0; i < rows * C; i++)
    expected[i] = static_cast<double>(table[tokens[i / C] * C + i % C]) + positions[position * C + i % C];
  compare("embed" + size + ", all at one position", x, expected, 1e-6);

  std::vector<u32> order, segments, first{0};
  const size_t longest = 3;
  for (u32 v = 0; v < static_cast<u32>(V); v++) {
    size_t inSegment = longest;
    for (int r = 0; r < rows; r++) {
      if (tokens[r] != v) continue;
      if (inSegment == longest) {
        segments.insert(segments.end(), {static_cast<u32>(order.size()), 0});
        inSegment = 0;
      }
      order.push_back(r);
      segments.back() = static_cast<u32>(order.size());
      inSegment++;
    }
    first.push_back(static_cast<u32>(segments.size() / 2));
  }
  const unsigned count = static_cast<unsigned>(segments.size() / 2);
  Floats partials = nan(count * C);
  shim::launch({count, 1, 1}, 64, 0,
               [&] { embedSegments(C, dx.data(), order.data(), segments.data(), partials.data()); });
  shim::launch({static_cast<unsigned>(V), 1, 1}, 64, 0,
               [&] { embedTokens(C, first.data(), partials.data(), gotGradient.data()); });
  compare("embedSegments and embedTokens" + size, gotGradient, gradient, 2e-6);
}

void exerciseRotation(int rows, int T, int heads, int D) {
  const int C = heads * D, half = D / 2;
  Floats cosines(T * half), sines(T * half), qkv = randomFloats(rows * 3 * C);
  for (int i = 0; i < T * half; i++) {
    const double angle = i / half * std::pow(10000, -2.0 * (i % half) / D);
    cosines[i] = static_cast<float>(std::cos(angle));
    sines[i] = static_cast<float>(std::sin(angle));
  }
  const Floats before = qkv;
  Doubles expected(before.begin(), before.end());
  for (int r = 0; r < rows; r++)
    for (int h = 0; h < 2 * heads; h++)
      for (int d = 0; d < half; d++) {
        const int at = r * 3 * C + h * D + d, angle = r % T * half + d;
        expected[at] =
            static_cast<double>(before[at]) * cosines[angle] - static_cast<double>(before[at + half]) * sines[angle];
        expected[at + half] =
            static_cast<double>(before[at + half]) * cosines[angle] + static_cast<double>(before[at]) * sines[angle];
      }
  Halves rounded = padded(before, rows, 3 * C);
  const auto run = [&](float direction, const u32* position, u16* rounded) {
    forElements(static_cast<size_t>(rows) * C, [&] {
      rotate(rows, T, C, D, cosines.data(), sines.data(), direction, position, qkv.data(), rounded, strideOf(3 * C));
    });
  };
  run(1, nullptr, rounded.data());
  compare("rotate", qkv, expected, 1e-6);
  compare("rotate, rounded", unpadded(rounded, rows, 3 * C), expected, 5e-3);
  run(-1, nullptr, nullptr);
  compare("rotate back", qkv, Doubles(before.begin(), before.end()), 1e-6);
  const u32 first = 0;
  run(1, &first, nullptr);
  compare("rotate, all at position 0", qkv, Doubles(before.begin(), before.end()), 1e-6);
}

void exerciseElements() {
  exerciseDropout(2, 5 * 37, 2, 37);  // whole sequences, as a GPT has them
  exerciseDropout(15, 131, 3, 131);   // rows in time-major order, as an LSTM has them
  exerciseEmbedding(29, 7, 6, 21);
  exerciseRotation(9, 5, 3, 6);
  const Floats a = randomFloats(300), b = randomFloats(300);
  Floats out = nan(300);
  Doubles sum(300);
  for (int i = 0; i < 300; i++) sum[i] = static_cast<double>(a[i]) + b[i];
  forElements(300, [&] { add(300, a.data(), b.data(), out.data()); });
  compare("add", out, sum, 1e-6);
  forElements(300, [&] { copy(300, a.data(), out.data()); });
  compare("copy", out, Doubles(a.begin(), a.end()), 1e-30);
  forElements(300, [&] { fill(300, 2.5f, out.data()); });
  compare("fill", out, Doubles(300, 2.5), 1e-30);
  Halves half = emptyHalves(20, 11);
  forElements(220, [&] { roundRows(20, 11, a.data(), 15, half.data(), strideOf(11)); });
  Doubles rows;
  for (int i = 0; i < 220; i++) rows.push_back(a[i / 11 * 15 + i % 11]);
  compare("roundRows", unpadded(half, 20, 11), rows, 5e-3);
}

}  // namespace
