// Exercises lstm.cuh.
#pragma once
#include "../kernels/lstm.cuh"
#include "products.hpp"

namespace {

void runForward(int B, int H, const float* previous, const Operand<float>& w, float* gates, const float* previousCell,
                float* cell, float* hidden, u16* half) {
  lstmForward(B, H, previous, H, w.values.data(), w.stride, gates, previousCell, cell, hidden, half, strideOf(H));
}
void runForward(int B, int H, const u16* previous, const Operand<u16>& w, float* gates, const float* previousCell,
                float* cell, float* hidden, u16* half) {
  lstmForwardBf16(B, H, previous, strideOf(H), w.values.data(), w.stride, gates, previousCell, cell, hidden, half,
                  strideOf(H));
}
void runBackward(int B, int H, const float* dhidden, const float* dgates, const Operand<float>& w, float* gates,
                 const float* cell, const float* previousCell, float* dcell, u16* half) {
  lstmBackward(B, H, dhidden, dgates, 4 * H, w.values.data(), w.stride, gates, cell, previousCell, dcell, half,
               strideOf(4 * H));
}
void runBackward(int B, int H, const float* dhidden, const u16* dgates, const Operand<u16>& w, float* gates,
                 const float* cell, const float* previousCell, float* dcell, u16* half) {
  lstmBackwardBf16(B, H, dhidden, dgates, strideOf(4 * H), w.values.data(), w.stride, gates, cell, previousCell, dcell,
                   half, strideOf(4 * H));
}

template <class T>
void exerciseLstmStep(const std::string& precision, int B, int H, bool isFirst) {
  const std::string name = "lstm " + precision + " " + std::to_string(B) + "x" + std::to_string(H) +
                           (isFirst ? ", at an end of the window" : "");
  const Operand<T> w = operand(T(), 4 * H, H), previous = operand(T(), B, H), next = operand(T(), B, 4 * H);
  const Floats previousCell = randomFloats(B * H), inputs = randomFloats(B * 4 * H), dhidden = randomFloats(B * H),
               dcell = randomFloats(B * H);
  Doubles gates(B * 4 * H), cell(B * H), hidden(B * H), dgates(B * 4 * H), dcellBefore(B * H);
  for (int b = 0; b < B; b++)
    for (int u = 0; u < H; u++) {
      double z[4], before = isFirst ? 0 : previousCell[b * H + u];
      for (int q = 0; q < 4; q++) {
        z[q] = inputs[b * 4 * H + q * H + u];
        for (int k = 0; k < H && !isFirst; k++)
          z[q] += static_cast<double>(previous.exact[b * H + k]) * w.exact[(q * H + u) * H + k];
      }
      const double i = sigmoidOf(z[0]), f = sigmoidOf(z[1]), g = std::tanh(z[2]), o = sigmoidOf(z[3]);
      const double c = f * before + i * g, t = std::tanh(c);
      double dh = dhidden[b * H + u];
      for (int k = 0; k < 4 * H && !isFirst; k++)
        dh += static_cast<double>(next.exact[b * 4 * H + k]) * w.exact[k * H + u];
      const double dc = dcell[b * H + u] + dh * o * (1 - t * t);
      const double slopes[4] = {dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g),
                                dh * t * o * (1 - o)};
      const double values[4] = {i, f, g, o};
      for (int q = 0; q < 4; q++) {
        gates[b * 4 * H + q * H + u] = values[q];
        dgates[b * 4 * H + q * H + u] = slopes[q];
      }
      cell[b * H + u] = c;
      hidden[b * H + u] = o * t;
      dcellBefore[b * H + u] = dc * f;
    }
  Floats gotGates = inputs, gotCell = nan(B * H), gotHidden = nan(B * H), gotDcell = dcell;
  Halves half = emptyHalves(B, H), dhalf = emptyHalves(B, 4 * H);
  const T* noT = nullptr;
  const float* cellBefore = isFirst ? nullptr : previousCell.data();
  shim::launch({blocks(H, kUnits), blocks(B, kSequences), 1}, 128, 2 * (32 + 64) * (32 * sizeof(T) + 16), [&] {
    runForward(B, H, isFirst ? noT : previous.values.data(), w, gotGates.data(), cellBefore, gotCell.data(),
               gotHidden.data(), half.data());
  });
  compare(name + ", gates", gotGates, gates, 3e-6);
  compare(name + ", cell", gotCell, cell, 3e-6);
  compare(name + ", hidden", gotHidden, hidden, 3e-6);
  compare(name + ", hidden rounded", unpadded(half, B, H), hidden, 5e-3);
  shim::launch({blocks(H, 32), blocks(B, kSequences), 1}, 128, 2 * (32 + 32) * (32 * sizeof(T) + 16), [&] {
    runBackward(B, H, dhidden.data(), isFirst ? noT : next.values.data(), w, gotGates.data(), gotCell.data(),
                cellBefore, gotDcell.data(), dhalf.data());
  });
  compare(name + ", gradients of gates", gotGates, dgates, 5e-6);
  compare(name + ", gradient of the cell before", gotDcell, dcellBefore, 5e-6);
  compare(name + ", gradients of gates rounded", unpadded(dhalf, B, 4 * H), dgates, 5e-3);
}

void exerciseLstm() {
  for (const bool isFirst : {true, false}) {
    exerciseLstmStep<float>("fp32", 35, 19, isFirst);
    exerciseLstmStep<u16>("bf16", 35, 19, isFirst);
  }
  exerciseLstmStep<float>("fp32", 3, 80, false);
  exerciseLstmStep<u16>("bf16", 3, 83, false);
}

}  // namespace
