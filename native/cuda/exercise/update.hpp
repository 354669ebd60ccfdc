// Exercises update.cuh.
#pragma once
#include "../kernels/update.cuh"
#include "check.hpp"

namespace {

void exerciseUpdate() {
  const int rows = 9, columns = 13, n = rows * columns, biases = 21, total = n + biases;
  Floats weights = randomFloats(total), gradients = randomFloats(total, 3), m = randomFloats(total, 0.1f),
         v = randomFloats(total, 0.1f);
  for (float& x : v) x = std::abs(x);
  // The matrix is in two chunks. The second chunk begins within a row.
  const std::vector<UpdateChunk> chunks = {
      {0, 50, 1, columns, 0, 1, 16, 0}, {50, n - 50u, 1, columns, 50, 1, 16, 0}, {n, biases, 0, 1, 0, kNoCopy, 0, 0}};
  StepSettings s{1, 2, 0.01f, 0.8f, 0.9f, 1e-6f, 0.2f, 0.5f, 1 - 0.8f * 0.8f, 1 - 0.9f * 0.9f};
  const Floats losses = randomFloats(1000);
  double loss = 0, square = 0;
  for (const float x : losses) loss += x / 1000.0;
  for (const float g : gradients) square += static_cast<double>(g) * g;
  const double norm = std::sqrt(square), scale = std::min(1.0, 0.5 / (norm + 1e-6));
  Doubles w2(total), m2(total), v2(total);
  for (int i = 0; i < total; i++) {
    const double g = gradients[i] * scale;
    m2[i] = 0.8 * m[i] + 0.2 * g;
    v2[i] = 0.9 * v[i] + 0.1 * g * g;
    w2[i] = weights[i] * (i < n ? 1 - 0.01 * 0.2 : 1) -
            0.01 / s.correction1 * m2[i] / (std::sqrt(v2[i] / s.correction2) + 1e-6);
  }
  // Enough numbers for three blocks of squares(); the last block is not full.
  Floats many = randomFloats(2 * 4096 + 77);
  Doubles parts(3, NAN), expectedParts(3);
  for (size_t i = 0; i < many.size(); i++) expectedParts[i / 4096] += static_cast<double>(many[i]) * many[i];
  shim::launch({3, 1, 1}, 256, 2048, [&] { squares(many.size(), many.data(), parts.data()); });
  compare("squares", parts, expectedParts, 1e-6);

  shim::launch({1, 1, 1}, 256, 2048, [&] { squares(total, gradients.data(), parts.data()); });
  StepOutcome outcome{};
  const auto finish = [&](const Floats& all, u64 count) {
    shim::launch({1, 1, 1}, 256, 2048, [&] { finishStep(all.size(), all.data(), count, parts.data(), &s, &outcome); });
  };
  finish(losses, 1);
  compare("finishStep", Doubles{outcome.loss, outcome.norm, outcome.gradientScale, double(outcome.finite)},
          {loss, norm, scale, 1}, 1e-6);
  Halves half(8 + rows * 16, 0x7fc0);
  shim::launch({3, 1, 1}, 64, 0, [&] {
    adamw(chunks.data(), &s, &outcome, weights.data(), gradients.data(), m.data(), v.data(), half.data());
  });
  compare("adamw, weights", weights, w2, 1e-6);
  compare("adamw, first moments", m, m2, 1e-6);
  compare("adamw, second moments", v, v2, 1e-6);
  const Doubles matrix(w2.begin(), w2.begin() + n);
  const auto copyOf = [&] { return unpadded(Halves(half.begin() + 8, half.end()), rows, columns); };
  compare("adamw, copy in bf16", copyOf(), matrix, 5e-3);
  half.assign(half.size(), 0x7fc0);
  shim::launch({3, 1, 1}, 64, 0, [&] { roundWeights(chunks.data(), weights.data(), half.data()); });
  compare("roundWeights", copyOf(), matrix, 5e-3);

  const Floats before = weights;
  Floats infinite = losses;
  infinite[999] = INFINITY;
  finish(infinite, 1);
  shim::launch({3, 1, 1}, 64, 0, [&] {
    adamw(chunks.data(), &s, &outcome, weights.data(), gradients.data(), m.data(), v.data(), half.data());
  });
  compare("adamw where the loss is infinite", weights, Doubles(before.begin(), before.end()), 1e-30);
  parts[0] = NAN;
  finish(losses, 1);
  compare("finishStep where the norm is NaN", Doubles{double(outcome.finite)}, {0}, 1e-30);
  finish(losses, 0);
  compare("finishStep without gradients", Doubles{outcome.loss, outcome.norm, outcome.gradientScale}, {loss, 0, 1},
          1e-6);
}

}  // namespace
