// Exercises lstm.cuh and lstm-bf16.cuh.
#pragma once
#include "../kernels/lstm-bf16.cuh"
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

constexpr size_t kForwardBytes = kStages * 2 * (32 + 64) * kChunkStride;
constexpr size_t kBackwardBytes = kStages * 2 * (kChunkSize + kChunk * kUnits);

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
  const bool bf16 = sizeof(T) == 2;
  shim::launch({blocks(H, kUnits), blocks(B, kSequences), 1}, 128, bf16 ? kForwardBytes : 2 * (32 + 64) * 36 * 4, [&] {
    runForward(B, H, isFirst ? noT : previous.values.data(), w, gotGates.data(), cellBefore, gotCell.data(),
               gotHidden.data(), half.data());
  });
  compare(name + ", gates", gotGates, gates, 3e-6);
  compare(name + ", cell", gotCell, cell, 3e-6);
  compare(name + ", hidden", gotHidden, hidden, 3e-6);
  compare(name + ", hidden rounded", unpadded(half, B, H), hidden, 5e-3);
  shim::launch({blocks(H, bf16 ? 16 : 32), blocks(B, kSequences), 1}, 128, bf16 ? kBackwardBytes : 2 * 64 * 36 * 4,
               [&] {
                 runBackward(B, H, dhidden.data(), isFirst ? noT : next.values.data(), w, gotGates.data(),
                             gotCell.data(), cellBefore, gotDcell.data(), dhalf.data());
               });
  compare(name + ", gradients of gates", gotGates, dgates, 5e-6);
  compare(name + ", gradient of the cell before", gotDcell, dcellBefore, 5e-6);
  compare(name + ", gradients of gates rounded", unpadded(dhalf, B, 4 * H), dgates, 5e-3);
}

/// All time steps in one launch must give the same bits as a launch for each time step. groups: of blocks in the grid.
void exerciseLstmSequence(int T, int B, int H, unsigned groups, bool hasState) {
  const std::string name = "lstm bf16, " + std::to_string(T) + " steps of " + std::to_string(B) + "x" +
                           std::to_string(H) + " in " + std::to_string(groups) + " groups";
  const Operand<u16> w = operand(u16(), 4 * H, H), start = operand(u16(), B, H);
  const Floats startCell = randomFloats(B * H), inputs = randomFloats(T * B * 4 * H), dhidden = randomFloats(T * B * H);
  const u16* noState = nullptr;
  const u16* first = hasState ? start.values.data() : noState;
  const float* firstCell = hasState ? startCell.data() : nullptr;
  const int ldh = strideOf(H), ldg = strideOf(4 * H);
  struct Results {
    Floats gates, cells, hidden, dgates, dcell;
    Halves half, dhalf;
  };
  const auto empty = [&] {
    return Results{inputs,           nan(T * B * H),        nan(T * B * H),           {},
                   Floats(B * H, 0), emptyHalves(T * B, H), emptyHalves(T * B, 4 * H)};
  };
  const shim::Dimensions grid = {blocks(H, kUnits), blocks(B, kSequences), 1}, all = {grid.x, groups, 1};
  Results a = empty(), b = empty();
  for (int t = 0; t < T; t++) {
    const size_t at = static_cast<size_t>(t) * B;
    shim::launch(grid, 128, kForwardBytes, [&] {
      lstmForwardBf16(B, H, t ? &a.half[(at - B) * ldh] : first, ldh, w.values.data(), w.stride, &a.gates[at * 4 * H],
                      t ? &a.cells[(at - B) * H] : firstCell, &a.cells[at * H], &a.hidden[at * H], &a.half[at * ldh],
                      ldh);
    });
  }
  a.dgates = a.gates;
  for (int t = T - 1; t >= 0; t--) {
    const size_t at = static_cast<size_t>(t) * B;
    shim::launch(grid, 128, kBackwardBytes, [&] {
      lstmBackwardBf16(B, H, &dhidden[at * H], t < T - 1 ? &a.dhalf[(at + B) * ldg] : noState, ldg, w.values.data(),
                       w.stride, &a.dgates[at * 4 * H], &a.cells[at * H], t ? &a.cells[(at - B) * H] : firstCell,
                       a.dcell.data(), &a.dhalf[at * ldg], ldg);
    });
  }
  const size_t stages = kStages * kChunkSize * sizeof(u16);
  std::vector<u32> flags(blocks(H, kUnits) * blocks(B, kSequences));
  shim::launchTogether(all, 128, stages + 64 * residentStride(H) * sizeof(u16), [&] {
    lstmForwardAllBf16(T, B, H, first, ldh, w.values.data(), w.stride, b.gates.data(), firstCell, b.cells.data(),
                       b.hidden.data(), b.half.data(), ldh, flags.data());
  });
  b.dgates = b.gates;
  flags.assign(flags.size(), 0);
  shim::launchTogether(all, 128, stages + (4 * H + 15) / 16 * 16 * kUnits * sizeof(u16), [&] {
    lstmBackwardAllBf16(T, B, H, dhidden.data(), w.values.data(), w.stride, b.dgates.data(), b.cells.data(), firstCell,
                        b.dcell.data(), b.dhalf.data(), ldg, flags.data());
  });
  const auto same = [&](const char* what, const Floats& got, const Floats& expected) {
    compare(name + ", " + what, got, Doubles(expected.begin(), expected.end()), 1e-30);
  };
  same("gates", b.gates, a.gates);
  same("cells", b.cells, a.cells);
  same("hidden", b.hidden, a.hidden);
  same("hidden rounded", unpadded(b.half, T * B, H), unpadded(a.half, T * B, H));
  same("gradients of gates", b.dgates, a.dgates);
  same("gradients of gates rounded", unpadded(b.dhalf, T * B, 4 * H), unpadded(a.dhalf, T * B, 4 * H));
  same("gradient of the cell before", b.dcell, a.dcell);
}

void exerciseLstm() {
  for (const bool isFirst : {true, false}) {
    exerciseLstmStep<float>("fp32", 35, 19, isFirst);
    exerciseLstmStep<u16>("bf16", 35, 19, isFirst);
  }
  exerciseLstmStep<float>("fp32", 3, 80, false);
  exerciseLstmStep<u16>("bf16", 3, 101, false);  // backward, K has more chunks than there are stages
  exerciseLstmSequence(3, 35, 19, 2, true);
  exerciseLstmSequence(30, 20, 35, 1, true);  // long enough that a warp is late somewhere
  exerciseLstmSequence(4, 35, 37, 1, false);
}

}  // namespace
