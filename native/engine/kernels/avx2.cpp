// The table of kernels compiled for AVX2 with FMA. binding.gyp sets the compiler flags.
#include "table.hpp"

const engine::Kernels& engine::avx2Kernels() {
  static const Tables tables("AVX2");
  return tables.fp32;
}
