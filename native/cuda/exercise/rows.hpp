// Exercises rows.cuh.
#pragma once
#include "../kernels/rows.cuh"
#include "check.hpp"

namespace {

void exerciseLayerNorm(int rows, int C) {
  const std::string size = " " + std::to_string(rows) + "x" + std::to_string(C);
  const Floats x = randomFloats(rows * C, 3), weight = randomFloats(C), bias = randomFloats(C);
  const Floats dout = randomFloats(rows * C), addend = randomFloats(rows * C);
  Doubles out(rows * C), dx(rows * C), dweight(C), dbias(C), mean(rows), rstd(rows);
  for (int r = 0; r < rows; r++) {
    const float *xr = &x[r * C], *d = &dout[r * C];
    double variance = 0, sum = 0, product = 0;
    for (int c = 0; c < C; c++) mean[r] += xr[c];
    mean[r] /= C;
    for (int c = 0; c < C; c++) variance += (xr[c] - mean[r]) * (xr[c] - mean[r]);
    rstd[r] = 1 / std::sqrt(variance / C + 1e-5);
    for (int c = 0; c < C; c++) {
      const double normalized = (xr[c] - mean[r]) * rstd[r];
      out[r * C + c] = normalized * weight[c] + bias[c];
      sum += d[c] * weight[c];
      product += d[c] * weight[c] * normalized;
      dweight[c] += d[c] * normalized;
      dbias[c] += d[c];
    }
    for (int c = 0; c < C; c++) {
      const double normalized = (xr[c] - mean[r]) * rstd[r];
      dx[r * C + c] = (d[c] * weight[c] - sum / C - normalized * product / C) * rstd[r] + addend[r * C + c];
    }
  }
  Floats gotOut = nan(rows * C), gotMean = nan(rows), gotRstd = nan(rows), gotDx = addend;
  Halves half = emptyHalves(rows, C);
  const unsigned grid = blocks(rows, 4);
  shim::launch({grid, 1, 1}, 128, 0, [&] {
    layerNorm(rows, C, x.data(), weight.data(), bias.data(), gotOut.data(), half.data(), strideOf(C), gotMean.data(),
              gotRstd.data());
  });
  compare("layerNorm" + size, gotOut, out, 2e-6);
  compare("layerNorm" + size + ", rounded", unpadded(half, rows, C), out, 5e-3);
  compare("layerNorm" + size + ", mean", gotMean, mean, 2e-6);
  compare("layerNorm" + size + ", rstd", gotRstd, rstd, 2e-6);
  half = emptyHalves(rows, C);
  shim::launch({grid, 1, 1}, 128, 0, [&] {
    layerNormBackward(rows, C, x.data(), weight.data(), gotMean.data(), gotRstd.data(), dout.data(), gotDx.data(),
                      gotDx.data(), half.data(), strideOf(C));
  });
  compare("layerNormBackward" + size, gotDx, dx, 5e-6);
  compare("layerNormBackward" + size + ", rounded", unpadded(half, rows, C), dx, 5e-3);

  const int rowsOfGroup = 13, groups = (rows + rowsOfGroup - 1) / rowsOfGroup;
  Floats partial = nan(groups * C), partialBias = nan(groups * C), sum = nan(C);
  const shim::Dimensions columns = {blocks(C, 32), static_cast<unsigned>(groups), 1};
  shim::launch(columns, 256, 1024, [&] {
    layerNormGradients(rows, C, x.data(), gotMean.data(), gotRstd.data(), dout.data(), rowsOfGroup, partial.data(),
                       partialBias.data());
  });
  sumOf(C, groups, partial, sum, 0);
  compare("layerNormGradients" + size + ", weight", sum, dweight, 5e-6);
  sumOf(C, groups, partialBias, sum, 0);
  compare("layerNormGradients" + size + ", bias", sum, dbias, 5e-6);
  shim::launch(columns, 256, 1024, [&] { columnSums(rows, C, dout.data(), C, rowsOfGroup, partial.data()); });
  sumOf(C, groups, partial, sum, 0);
  compare("columnSums" + size, sum, dbias, 5e-6);
}

void exerciseCrossEntropy(int rows, int V) {
  Floats logits = randomFloats(rows * V, 8), losses = nan(rows);
  std::vector<u32> targets(rows);
  Doubles loss(rows), slope(rows * V);
  const float scale = 0.25f;
  for (int r = 0; r < rows; r++) {
    targets[r] = static_cast<u32>(r * 371 + V - 1) % V;
    double sum = 0;
    for (int v = 0; v < V; v++) sum += std::exp(static_cast<double>(logits[r * V + v]));
    loss[r] = std::log(sum) - logits[r * V + targets[r]];
    for (int v = 0; v < V; v++)
      slope[r * V + v] =
          (std::exp(static_cast<double>(logits[r * V + v])) / sum - (v == static_cast<int>(targets[r]))) * scale;
  }
  Halves half = emptyHalves(rows, V);
  const Floats before = logits;
  const auto run = [&](float factor, u16* rounded) {
    shim::launch({static_cast<unsigned>(rows), 1, 1}, 256, 64,
                 [&] { crossEntropy(V, logits.data(), targets.data(), factor, losses.data(), rounded, strideOf(V)); });
  };
  const std::string name = "crossEntropy " + std::to_string(rows) + "x" + std::to_string(V);
  run(0, nullptr);
  compare(name + ", losses", losses, loss, 1e-6);
  compare(name + ", logits without a scale", logits, Doubles(before.begin(), before.end()), 1e-30);
  run(scale, half.data());
  compare(name + ", losses with gradients", losses, loss, 1e-6);
  compare(name + ", gradients", logits, slope, 2e-6);
  compare(name + ", gradients rounded", unpadded(half, rows, V), slope, 5e-3);
}

void exerciseRows() {
  exerciseLayerNorm(1, 1);
  exerciseLayerNorm(37, 45);
  exerciseLayerNorm(6, 131);
  exerciseCrossEntropy(3, 2);
  exerciseCrossEntropy(7, 53);
  exerciseCrossEntropy(3, 1009);
}

}  // namespace
