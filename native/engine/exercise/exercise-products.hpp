// Compares the products of a table of kernels with their definition in double precision, at odd sizes. For
// exercise.cpp, where JavaScript tests cannot run (sanitizers, emulators).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/kernels.hpp"

namespace engine {

/// Largest error of any sum, relative to the largest sum of its product.
class ProductErrors {
 public:
  explicit ProductErrors(const Kernels& kernels) : k_(kernels) {
    for (const auto& [M, N, K] : kShapes) {
      product(M, N, K);
      streams(M, N, K);
      gradient(M, N, K);
    }
  }
  double worst() const { return worst_; }

 private:
  struct Shape {
    int M, N, K;
  };
  // Sizes at the edges of a vector, a tile, a panel, a block, and of the parts that are packed at a time.
  static constexpr Shape kShapes[] = {{1, 1, 1},     {3, 5, 7},     {13, 33, 17},   {14, 32, 64},
                                      {29, 47, 300}, {64, 96, 31},  {33, 8, 513},   {5, 131, 16},
                                      {17, 16, 33},  {270, 40, 20}, {31, 70, 1050}, {560, 17, 40}};
  // A, B and C are parts of wider matrices. The other columns of C must stay unchanged.
  static constexpr int kOtherColumns = 3;
  static constexpr float kUntouched = 7.0f;

  const Kernels& k_;
  double worst_ = 0;
  uint32_t random_ = 1;

  /// Pseudo-random numbers (rows,columns) from −1 to 1.
  std::vector<float> numbers(int rows, int columns) {
    std::vector<float> x(static_cast<size_t>(rows) * columns);
    for (float& number : x) {
      random_ = random_ * 1664525u + 1013904223u;
      number = static_cast<float>(random_ >> 8) / 8388608.0f - 1.0f;
    }
    return x;
  }
  /// The value that products use for a number: rounded to bf16 if they round.
  double asMultiplied(float x) const {
    if (k_.elementSize == 4) return x;
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  }
  static std::vector<float> transposed(const std::vector<float>& x, int rows, int columns) {
    std::vector<float> y(x.size());
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < columns; j++) y[static_cast<size_t>(j) * rows + i] = x[static_cast<size_t>(i) * columns + j];
    return y;
  }
  /// Compares C with Σ_k element(i, j, k) + start(i, j).
  template <class Element, class Start>
  void compare(int M, int N, int K, const std::vector<float>& C, Element element, Start start) {
    double largest = 1e-30, furthest = 0;
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        double sum = start(i, j);
        for (int k = 0; k < K; k++) sum += element(i, j, k);
        const double error = std::fabs(C[static_cast<size_t>(i) * (N + kOtherColumns) + j] - sum);
        largest = std::fmax(largest, std::fabs(sum));
        if (!(error <= furthest)) furthest = error;
      }
      for (int j = N; j < N + kOtherColumns; j++)
        if (C[static_cast<size_t>(i) * (N + kOtherColumns) + j] != kUntouched) furthest = INFINITY;
    }
    if (!(furthest / largest <= worst_)) worst_ = furthest / largest;
  }

  /// Compares product() with its definition, with panels of B and of its transpose, with and without an epilogue.
  void product(int M, int N, int K) {
    const auto A = numbers(M, K + kOtherColumns), B = numbers(K, N), addend = numbers(M, N), bias = numbers(N, 1);
    const auto element = [&](int i, int j, int k) {
      return asMultiplied(A[i * (K + kOtherColumns) + k]) * asMultiplied(B[k * N + j]);
    };
    for (const bool fromTransposed : {false, true}) {
      std::vector<float> panels(k_.packedSize(K, N)), C(static_cast<size_t>(M) * (N + kOtherColumns), kUntouched);
      if (fromTransposed)
        k_.packTransposed(K, N, transposed(B, K, N).data(), K, panels.data());
      else
        k_.pack(K, N, B.data(), N, panels.data());
      k_.product(M, N, K, A.data(), K + kOtherColumns, panels.data(), K, C.data(), N + kOtherColumns,
                 {addend.data(), N, bias.data()});
      compare(M, N, K, C, element, [&](int i, int j) { return double(addend[i * N + j]) + bias[j]; });
      k_.product(M, N, K, A.data(), K + kOtherColumns, panels.data(), K, C.data(), N + kOtherColumns, {});
      compare(M, N, K, C, element, [](int, int) { return 0.0; });
    }
  }

  /// Compares streamProduct() with its definition. Two calls compute the two halves of the panels.
  void streams(int M, int N, int K) {
    const auto A = numbers(M, K), B = numbers(K, N), bias = numbers(N, 1);
    std::vector<float> panels(k_.packedSize(K, N)), C(static_cast<size_t>(M) * (N + kOtherColumns), kUntouched);
    k_.pack(K, N, B.data(), N, panels.data());
    const int count = k_.panels(N);
    for (const int first : {count / 2, 0})
      k_.streamProduct(M, N, K, A.data(), K, panels.data(), first, first > 0 || count == 1 ? count : count / 2,
                       C.data(), N + kOtherColumns, {nullptr, 0, bias.data()});
    compare(
        M, N, K, C, [&](int i, int j, int k) { return asMultiplied(A[i * K + k]) * asMultiplied(B[k * N + j]); },
        [&](int, int j) { return double(bias[j]); });
  }

  /// Compares accumulateGradient() with its definition, adding to C and overwriting it.
  void gradient(int M, int N, int K) {
    const auto A = numbers(K, M + kOtherColumns), B = numbers(K, N + kOtherColumns), start = numbers(M, N);
    for (const bool first : {false, true}) {
      std::vector<float> C(static_cast<size_t>(M) * (N + kOtherColumns), kUntouched), scratch(k_.gradientScratch());
      for (int i = 0; i < M; i++)
        std::copy_n(&start[static_cast<size_t>(i) * N], N, &C[static_cast<size_t>(i) * (N + kOtherColumns)]);
      k_.accumulateGradient(M, N, K, A.data(), M + kOtherColumns, B.data(), N + kOtherColumns, C.data(),
                            N + kOtherColumns, first, scratch.data());
      compare(
          M, N, K, C,
          [&](int i, int j, int k) {
            return asMultiplied(A[k * (M + kOtherColumns) + i]) * asMultiplied(B[k * (N + kOtherColumns) + j]);
          },
          [&](int i, int j) { return first ? 0.0 : double(start[i * N + j]); });
    }
  }
};

}  // namespace engine
