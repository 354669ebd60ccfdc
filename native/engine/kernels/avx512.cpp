// The kernels compiled for AVX-512.
#include "table.hpp"

const engine::Kernels& engine::avx512Kernels() {
  static const Kernels kernels = table("AVX-512");
  return kernels;
}
