// The table of kernels compiled for AVX-512. binding.gyp sets the compiler flags.
#include "table.hpp"

const engine::Kernels& engine::avx512Kernels() {
  static const Tables tables("AVX-512");
  return tables.fp32;
}
