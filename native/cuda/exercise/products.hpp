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
  Floats exact;  // the factors as the kernel rounds them
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

/// The kernels by arithmetic, tile and layout.
template <Arithmetic arithmetic>
struct Kernels {
  using T = typename Stored<arithmetic>::T;
  using Kernel = void (*)(int, int, int, const T*, int, const T*, int, int, const float*, const float*, float*, float*,
                          int, u16*, int, int);
  static const Kernel large[3], small[3];
  static const char* const name;
};
#define KERNELS(suffix, arithmetic, text)                                                                            \
  template <>                                                                                                        \
  const Kernels<arithmetic>::Kernel Kernels<arithmetic>::large[3] = {productNN##suffix, productNT##suffix,           \
                                                                     productTN##suffix};                             \
  template <>                                                                                                        \
  const Kernels<arithmetic>::Kernel Kernels<arithmetic>::small[3] = {productNNSmall##suffix, productNTSmall##suffix, \
                                                                     productTNSmall##suffix};                        \
  template <>                                                                                                        \
  const char* const Kernels<arithmetic>::name = text;
KERNELS(, kFp32, "fp32")
KERNELS(Tf32, kTf32, "tf32")
KERNELS(Bf16, kBf16, "bf16")
#undef KERNELS

/// The numbers that a product multiplies.
template <Arithmetic arithmetic>
Operand<typename Stored<arithmetic>::T> factor(int rows, int columns) {
  auto made = operand(typename Stored<arithmetic>::T(), rows, columns);
  if (arithmetic == kTf32)
    for (float& x : made.exact) x = __uint_as_float(toTf32(x));
  return made;
}

template <Arithmetic arithmetic, int tile>
void exerciseProduct(int layout, int M, int N, int K, int splits) {
  using T = typename Stored<arithmetic>::T;
  const bool kA = kLayouts[layout].kMajorA, kB = kLayouts[layout].kMajorB;
  const Operand<T> a = factor<arithmetic>(kA ? K : M, kA ? M : K), b = factor<arithmetic>(kB ? K : N, kB ? N : K);
  const Floats bias = randomFloats(N), addend = randomFloats(static_cast<size_t>(M) * N);
  Floats pre = randomFloats(static_cast<size_t>(M) * N, 3);
  Doubles exact(static_cast<size_t>(M) * N);
  for (int r = 0; r < M; r++)
    for (int c = 0; c < N; c++)
      for (int k = 0; k < K; k++)
        exact[r * N + c] +=
            static_cast<double>(a.exact[kA ? k * M + r : r * K + k]) * b.exact[kB ? k * N + c : c * K + k];
  const std::string name = "product" + std::string(kLayouts[layout].name) + " " + Kernels<arithmetic>::name + " " +
                           std::to_string(M) + "x" + std::to_string(N) + "x" + std::to_string(K) + " by " +
                           std::to_string(tile);
  const auto tileSize = [](bool kMajor) {
    return kMajor ? OperandTile<T, true, tile>::size : OperandTile<T, false, tile>::size;
  };
  const size_t shared = kStages * (tileSize(kA) + tileSize(kB)) * sizeof(T);
  const auto run = [&](int parts, Epilogue e) {
    const int split = (K + parts - 1) / parts + 31;
    const auto kernel = (tile == 128 ? Kernels<arithmetic>::large : Kernels<arithmetic>::small)[layout];
    shim::launch({blocks(N, tile), blocks(M, tile), static_cast<unsigned>(parts)}, 2 * tile, shared, [&] {
      kernel(M, N, K, a.values.data(), a.stride, b.values.data(), b.stride, split / 32 * 32, e.bias, e.addend, e.pre,
             e.C, e.ldc, e.rounded, e.ldr, e.gelu);
    });
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
    sumOf(sum.size(), splits, parts, sum, 1);
    expected = exact;
    for (size_t i = 0; i < exact.size(); i++) expected[i] += addend[i];
    compare(name + ", " + std::to_string(splits) + " splits added to what was there", sum, expected, 2e-6);
    sumOf(sum.size(), splits, parts, sum, 0);
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

/// TF32 has 11 bits: a factor is off by at most 2⁻¹¹ of itself, a product of two by about 2⁻¹⁰.
void exerciseErrorOfTf32() {
  const int M = 20, N = 30, K = 64;
  const Floats a = randomFloats(M * K), b = randomFloats(N * K);
  Floats C = nan(M * N);
  const size_t shared = 2 * kStages * OperandTile<float, false, 64>::size * sizeof(float);
  shim::launch({1, 1, 1}, 128, shared, [&] {
    productNTSmallTf32(M, N, K, a.data(), K, b.data(), K, K, nullptr, nullptr, nullptr, C.data(), N, nullptr, 0, 0);
  });
  Doubles excess;
  for (int i = 0; i < M * N; i++) {
    double exact = 0, size = 0;
    for (int k = 0; k < K; k++) {
      const double product = static_cast<double>(a[i / N * K + k]) * b[i % N * K + k];
      exact += product;
      size += std::abs(product);
    }
    const double beyond = std::abs(C[i] - exact) - size * 1.001 / 1024;
    excess.push_back(beyond <= 0 ? 0 : beyond);
  }
  compare("the error of tf32 beyond its bound", excess, Doubles(excess.size()), 1e-30);
}

/// Several sums in one launch. Two of them are empty.
void exerciseSums() {
  const size_t n[4] = {300, 1, 512, 5};
  const int parts[4] = {3, 7, 1, 2};
  Floats partials[4], out[4];
  Doubles expected[4];
  unsigned all = 0;
  for (int s = 0; s < 4; s++) {
    partials[s] = randomFloats(n[s] * parts[s]);
    out[s] = randomFloats(n[s]);
    for (size_t i = 0; i < n[s]; i++) {
      double sum = s % 2 ? out[s][i] : 0;
      for (int p = 0; p < parts[s]; p++) sum += partials[s][p * n[s] + i];
      expected[s].push_back(sum);
    }
    all += blocks(n[s], 256);
  }
  shim::launch({all, 1, 1}, 256, 0, [&] {
    sumPartials(n[0], parts[0], partials[0].data(), out[0].data(), 0, n[1], parts[1], partials[1].data(), out[1].data(),
                1, n[2], parts[2], partials[2].data(), out[2].data(), 0, n[3], parts[3], partials[3].data(),
                out[3].data(), 1, 0, 0, nullptr, nullptr, 0, 0, 0, nullptr, nullptr, 0);
  });
  for (int s = 0; s < 4; s++) compare("sumPartials, sum " + std::to_string(s), out[s], expected[s], 2e-6);
}

/// finishProduct in the three ways in which the engine launches it: rounding; GELU; multiplication by GELU's slope.
void exerciseFinish() {
  const int M = 11, N = 261, rowsOfBlock = 4;
  const size_t n = static_cast<size_t>(M) * N;
  const Floats product = randomFloats(n, 3);
  Floats pre = randomFloats(n, 3), C = nan(n);
  Halves half = emptyHalves(M, N);
  const auto run = [&](const float* from, float* before, float* to, u16* rounded, int gelu) {
    shim::launch({blocks(N, 256), blocks(M, rowsOfBlock), 1}, 256, 0,
                 [&] { finishProduct(M, N, rowsOfBlock, from, before, to, rounded, strideOf(N), gelu); });
  };
  Doubles expected(product.begin(), product.end());
  run(product.data(), nullptr, nullptr, half.data(), kNoGelu);
  compare("finishProduct, rounded", unpadded(half, M, N), expected, 5e-3);
  run(product.data(), nullptr, C.data(), half.data(), kGeluForward);
  for (double& x : expected) x = geluOf(x);
  compare("finishProduct, GELU", C, expected, 2e-6);
  compare("finishProduct, GELU rounded", unpadded(half, M, N), expected, 5e-3);
  C = product;
  run(C.data(), pre.data(), C.data(), half.data(), kGeluBackward);
  for (size_t i = 0; i < n; i++) expected[i] = product[i] * geluSlopeOf(pre[i]);
  compare("finishProduct, times the slope of GELU", C, expected, 2e-6);
  compare("finishProduct, times the slope of GELU, rounded", unpadded(half, M, N), expected, 5e-3);
}

void exerciseProducts() {
  exerciseSums();
  exerciseFinish();
  for (int layout = 0; layout < 3; layout++) {
    exerciseProduct<kFp32, 128>(layout, 1, 3, 5, 1);
    exerciseProduct<kFp32, 128>(layout, 131, 140, 37, 1);  // rows of 140 numbers are aligned, rows of 37 are not
    exerciseProduct<kFp32, 64>(layout, 20, 67, 100, 3);
    exerciseProduct<kBf16, 128>(layout, 1, 3, 5, 1);
    exerciseProduct<kBf16, 128>(layout, 131, 141, 107, 1);
    exerciseProduct<kBf16, 64>(layout, 20, 33, 201, 3);
    exerciseProduct<kBf16, 64>(layout, 67, 70, 37, 1);
    exerciseProduct<kTf32, 128>(layout, 131, 33, 37, 1);
    exerciseProduct<kTf32, 64>(layout, 67, 70, 100, 3);
  }
  exerciseErrorOfTf32();
}

}  // namespace
