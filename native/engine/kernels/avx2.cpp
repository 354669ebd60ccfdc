// The kernels compiled for AVX2 with FMA.
#include "table.hpp"

const engine::Kernels& engine::avx2Kernels() {
  static const Kernels kernels = table("AVX2");
  return kernels;
}
