// Shared by the exercises: random numbers, matrices with padding, and the comparison with a reference in doubles.
#pragma once
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "../kernels/products.cuh"

using Floats = std::vector<float>;
using Halves = std::vector<u16>;
using Doubles = std::vector<double>;

inline bool failed = false;

/// Prints the largest difference of got and expected, relative to the largest number of expected, and whether it is
/// below the limit.
template <class Number>
inline void compare(const std::string& name, const std::vector<Number>& got, const Doubles& expected, double limit) {
  double worst = got.size() == expected.size() ? 0 : INFINITY, largest = 1e-30;
  for (const double x : expected) largest = std::max(largest, std::abs(x));
  for (size_t i = 0; i < got.size() && i < expected.size(); i++) {
    const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
    if (difference > worst || std::isnan(difference)) worst = difference;
    if (std::isnan(worst)) break;
  }
  const bool right = worst / largest < limit;
  failed |= !right;
  printf("%s %s: %.1e, limit %.0e\n", right ? "ok" : "WRONG", name.c_str(), worst / largest, limit);
}

/// Uniform in [−1, 1) times `scale`: a linear congruential generator (Knuth).
inline Floats randomFloats(size_t n, float scale = 1) {
  static u64 state = 1;
  Floats x(n);
  for (float& v : x) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v = (static_cast<float>(state >> 40) / (1 << 23) - 1) * scale;
  }
  return x;
}

inline float fromBf16(u16 x) { return __uint_as_float(static_cast<u32>(x) << 16); }
inline float rounded(float x) { return fromBf16(toBf16(x)); }
inline int strideOf(int columns) { return (columns + 7) / 8 * 8; }

/// A matrix in bf16 as the engine stores it: rows padded to a multiple of 8. The padding is NaN, so that a kernel that
/// reads it is found.
inline Halves padded(const Floats& x, int rows, int columns) {
  Halves out(static_cast<size_t>(rows) * strideOf(columns), 0x7fc0);
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) out[static_cast<size_t>(r) * strideOf(columns) + c] = toBf16(x[r * columns + c]);
  return out;
}
inline Halves emptyHalves(int rows, int columns) {
  return Halves(static_cast<size_t>(rows) * strideOf(columns), 0x7fc0);
}
/// The numbers of a padded matrix, without the padding.
inline Floats unpadded(const Halves& x, int rows, int columns) {
  Floats out;
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) out.push_back(fromBf16(x[static_cast<size_t>(r) * strideOf(columns) + c]));
  return out;
}

inline Floats nan(size_t n) { return Floats(n, NAN); }
inline unsigned blocks(size_t n, unsigned threads) { return static_cast<unsigned>((n + threads - 1) / threads); }
/// Runs a kernel over n elements, 256 threads a block.
inline void forElements(size_t n, const std::function<void()>& kernel) {
  shim::launch({blocks(n, 256), 1, 1}, 256, 0, kernel);
}

/// Launches the kernel sumPartials with one sum.
inline void sumOf(size_t n, int parts, const Floats& partials, Floats& out, int accumulate) {
  forElements(n, [&] {
    sumPartials(n, parts, partials.data(), out.data(), accumulate, 0, 0, nullptr, nullptr, 0, 0, 0, nullptr, nullptr, 0,
                0, 0, nullptr, nullptr, 0, 0, 0, nullptr, nullptr, 0, 0, 0, nullptr, nullptr, 0);
  });
}

inline double sigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }
inline double geluOf(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }
/// GELU's slope, by central differences of geluOf.
inline double geluSlopeOf(double x) { return (geluOf(x + 1e-5) - geluOf(x - 1e-5)) / 2e-5; }
