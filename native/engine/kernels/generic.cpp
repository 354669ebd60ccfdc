// The table of kernels compiled for every CPU: SSE2 on x86-64, NEON on arm64. binding.gyp sets the compiler flags.
#include "table.hpp"

const engine::Kernels& engine::genericKernels() {
  static const Tables tables("generic");
  return tables.fp32;
}
