// Products of a table of kernels against their definition in double precision, at odd sizes: for exercise.cpp, where no
// test in JavaScript can come (the sanitizers, emulators).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/kernels.hpp"

namespace engine {

/// the furthest that a sum was from what it should be, relative to the largest sum of its product
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
  // edges on every side: of a vector, a tile, a panel, a block, and of what is packed at a time
  static constexpr Shape kShapes[] = {{1, 1, 1},     {3, 5, 7},     {13, 33, 17},   {14, 32, 64},
                                      {29, 47, 300}, {64, 96, 31},  {33, 8, 513},   {5, 131, 16},
                                      {17, 16, 33},  {270, 40, 20}, {31, 70, 1050}, {560, 17, 40}};
  // A and B lie in wider matrices, and so does C, whose other columns must stay
  static constexpr int kBeside = 3;
  static constexpr float kUntouched = 7.0f;

  const Kernels& k_;
  double worst_ = 0;
  uint32_t random_ = 1;

  std::vector<float> numbers(int rows, int columns) {
    std::vector<float> x(static_cast<size_t>(rows) * columns);
    for (float& number : x) {
      random_ = random_ * 1664525u + 1013904223u;
      number = static_cast<float>(random_ >> 8) / 8388608.0f - 1.0f;
    }
    return x;
  }
  /// what products take a number for
  double taken(float x) const {
    if (k_.numberSize == 4) return x;
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
  /// C as it should be: element(i, j, k) summed over k, and start(i, j)
  template <class Element, class Start>
  void compare(int M, int N, int K, const std::vector<float>& C, Element element, Start start) {
    double largest = 1e-30, furthest = 0;
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        double sum = start(i, j);
        for (int k = 0; k < K; k++) sum += element(i, j, k);
        const double apart = std::fabs(C[static_cast<size_t>(i) * (N + kBeside) + j] - sum);
        largest = std::fmax(largest, std::fabs(sum));
        if (!(apart <= furthest)) furthest = apart;
      }
      for (int j = N; j < N + kBeside; j++)
        if (C[static_cast<size_t>(i) * (N + kBeside) + j] != kUntouched) furthest = INFINITY;
    }
    if (!(furthest / largest <= worst_)) worst_ = furthest / largest;
  }

  void product(int M, int N, int K) {
    const auto A = numbers(M, K + kBeside), B = numbers(K, N), addend = numbers(M, N), bias = numbers(N, 1);
    const auto element = [&](int i, int j, int k) { return taken(A[i * (K + kBeside) + k]) * taken(B[k * N + j]); };
    for (const bool fromTransposed : {false, true}) {
      std::vector<float> panels(k_.packedSize(K, N)), C(static_cast<size_t>(M) * (N + kBeside), kUntouched);
      if (fromTransposed)
        k_.packTransposed(K, N, transposed(B, K, N).data(), K, panels.data());
      else
        k_.pack(K, N, B.data(), N, panels.data());
      k_.product(M, N, K, A.data(), K + kBeside, panels.data(), K, C.data(), N + kBeside,
                 {addend.data(), N, bias.data()});
      compare(M, N, K, C, element, [&](int i, int j) { return double(addend[i * N + j]) + bias[j]; });
      k_.product(M, N, K, A.data(), K + kBeside, panels.data(), K, C.data(), N + kBeside, {});
      compare(M, N, K, C, element, [](int, int) { return 0.0; });
    }
  }

  void streams(int M, int N, int K) {
    const auto A = numbers(M, K), B = numbers(K, N), bias = numbers(N, 1);
    std::vector<float> panels(k_.packedSize(K, N)), C(static_cast<size_t>(M) * (N + kBeside), kUntouched);
    k_.pack(K, N, B.data(), N, panels.data());
    const int count = k_.panels(N);
    for (const int first : {count / 2, 0})
      k_.streamProduct(M, N, K, A.data(), K, panels.data(), first, first > 0 || count == 1 ? count : count / 2,
                       C.data(), N + kBeside, {nullptr, 0, bias.data()});
    compare(
        M, N, K, C, [&](int i, int j, int k) { return taken(A[i * K + k]) * taken(B[k * N + j]); },
        [&](int, int j) { return double(bias[j]); });
  }

  void gradient(int M, int N, int K) {
    const auto A = numbers(K, M + kBeside), B = numbers(K, N + kBeside), start = numbers(M, N);
    for (const bool first : {false, true}) {
      std::vector<float> C(static_cast<size_t>(M) * (N + kBeside), kUntouched), scratch(k_.gradientScratch());
      for (int i = 0; i < M; i++)
        std::copy_n(&start[static_cast<size_t>(i) * N], N, &C[static_cast<size_t>(i) * (N + kBeside)]);
      k_.accumulateGradient(M, N, K, A.data(), M + kBeside, B.data(), N + kBeside, C.data(), N + kBeside, first,
                            scratch.data());
      compare(
          M, N, K, C,
          [&](int i, int j, int k) { return taken(A[k * (M + kBeside) + i]) * taken(B[k * (N + kBeside) + j]); },
          [&](int i, int j) { return first ? 0.0 : double(start[i * N + j]); });
    }
  }
};

}  // namespace engine
