// Exercises products.cuh.
#pragma once
#include "check.hpp"

namespace {

struct Layout {
  const char* name;
  bool kMajorA, kMajorB;
};
constexpr Layout kLayouts[] = {{"NN", false, true}, {"NT", false, false}, {"TN", true, true}};

template <class T>
struct Operand {
  std::vector<T> values;
  Floats exact;  // what the kernel should compute with
  int rows, columns, stride;
};
Operand<float> operand(float, int rows, int columns) {
  Floats x = randomFloats(static_cast<size_t>(rows) * columns);
  return {x, x, rows, columns, columns};
}
Operand<u16> operand(u16, int rows, int columns) {
  Floats x = randomFloats(static_cast<size_t>(rows) * columns);
  Halves half = padded(x, rows, columns);
  for (float& v : x) v = rounded(v);
  return {half, x, rows, columns, strideOf(columns)};
}

void runProduct(int layout, int M, int N, int K, const Operand<float>& a, const Operand<float>& b, int split,
                Epilogue e) {
  const auto kernel = layout == 0 ? productNN : layout == 1 ? productNT : productTN;
  kernel(M, N, K, a.values.data(), a.stride, b.values.data(), b.stride, split, e.bias, e.addend, e.pre, e.C, e.ldc,
         e.rounded, e.ldr, e.gelu);
}
void runProduct(int layout, int M, int N, int K, const Operand<u16>& a, const Operand<u16>& b, int split, Epilogue e) {
  const auto kernel = layout == 0 ? productNNBf16 : layout == 1 ? productNTBf16 : productTNBf16;
  kernel(M, N, K, a.values.data(), a.stride, b.values.data(), b.stride, split, e.bias, e.addend, e.pre, e.C, e.ldc,
         e.rounded, e.ldr, e.gelu);
}

template <class T>
void exerciseProduct(const std::string& precision, int layout, int M, int N, int K, int splits) {
  const bool kA = kLayouts[layout].kMajorA, kB = kLayouts[layout].kMajorB;
  const Operand<T> a = operand(T(), kA ? K : M, kA ? M : K), b = operand(T(), kB ? K : N, kB ? N : K);
  const Floats bias = randomFloats(N), addend = randomFloats(static_cast<size_t>(M) * N);
  Floats pre = randomFloats(static_cast<size_t>(M) * N, 3);
  Doubles exact(static_cast<size_t>(M) * N);
  for (int r = 0; r < M; r++)
    for (int c = 0; c < N; c++)
      for (int k = 0; k < K; k++)
        exact[r * N + c] +=
            static_cast<double>(a.exact[kA ? k * M + r : r * K + k]) * b.exact[kB ? k * N + c : c * K + k];
  const std::string name = "product" + std::string(kLayouts[layout].name) + " " + precision + " " + std::to_string(M) +
                           "x" + std::to_string(N) + "x" + std::to_string(K);
  const auto tileSize = [](bool kMajor) { return kMajor ? OperandTile<T, true>::size : OperandTile<T, false>::size; };
  const size_t shared = kStages * (tileSize(kA) + tileSize(kB)) * sizeof(T);
  const auto run = [&](int parts, Epilogue e) {
    const int split = (K + parts - 1) / parts + 31;
    shim::launch({blocks(N, kTile), blocks(M, kTile), static_cast<unsigned>(parts)}, 256, shared,
                 [&] { runProduct(layout, M, N, K, a, b, split / 32 * 32, e); });
  };
  Floats C = nan(exact.size());
  Halves half = emptyHalves(M, N);
  run(1, {bias.data(), addend.data(), nullptr, C.data(), half.data(), N, strideOf(N), kNoGelu});
  Doubles expected = exact;
  for (size_t i = 0; i < exact.size(); i++) expected[i] += bias[i % N] + addend[i];
  compare(name + ", bias and addend", C, expected, 2e-6);
  compare(name + ", rounded", unpadded(half, M, N), expected, 5e-3);

  if (splits > 1) {
    Floats parts = nan(exact.size() * splits), sum = addend;
    run(splits, {nullptr, nullptr, nullptr, parts.data(), nullptr, N, 0, kNoGelu});
    forElements(sum.size(), [&] { sumPartials(sum.size(), splits, parts.data(), sum.data(), 1); });
    expected = exact;
    for (size_t i = 0; i < exact.size(); i++) expected[i] += addend[i];
    compare(name + ", " + std::to_string(splits) + " splits added to what was there", sum, expected, 2e-6);
    forElements(sum.size(), [&] { sumPartials(sum.size(), splits, parts.data(), sum.data(), 0); });
    compare(name + ", splits in place of what was there", sum, exact, 2e-6);
    return;
  }
  // GELU is applied to numbers of about 1.
  Floats before = nan(exact.size());
  run(1, {bias.data(), nullptr, before.data(), C.data(), nullptr, N, 0, kGeluForward});
  expected = exact;
  for (size_t i = 0; i < exact.size(); i++) expected[i] += bias[i % N];
  compare(name + ", before GELU", before, expected, 2e-6);
  for (double& x : expected) x = geluOf(x);
  compare(name + ", GELU", C, expected, 2e-6);
  run(1, {nullptr, nullptr, pre.data(), C.data(), nullptr, N, 0, kGeluBackward});
  expected = exact;
  for (size_t i = 0; i < exact.size(); i++) expected[i] *= geluSlopeOf(pre[i]);
  compare(name + ", times the slope of GELU", C, expected, 2e-6);
}

void exerciseProducts() {
  for (int layout = 0; layout < 3; layout++) {
    exerciseProduct<float>("fp32", layout, 1, 3, 5, 1);
    exerciseProduct<float>("fp32", layout, 131, 140, 37, 1);  // rows of 140 and of 37 numbers: aligned and not
    exerciseProduct<float>("fp32", layout, 20, 33, 100, 3);
    exerciseProduct<u16>("bf16", layout, 1, 3, 5, 1);
    exerciseProduct<u16>("bf16", layout, 131, 141, 107, 1);
    exerciseProduct<u16>("bf16", layout, 20, 33, 201, 3);
  }
}

}  // namespace
