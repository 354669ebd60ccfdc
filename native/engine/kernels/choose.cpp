// Which table of kernels this CPU gets: by its feature bits, never by its model name.
#include <cstring>

#include "../kernels.hpp"

const engine::Kernels* engine::chooseKernels(const char* name) {
  const bool any = name == nullptr || *name == '\0';
#ifdef ENGINE_X64
  __builtin_cpu_init();
  if (any || std::strcmp(name, "avx512") == 0) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
      return &avx512Kernels();
    if (!any) return nullptr;
  }
  if (any || std::strcmp(name, "avx2") == 0) {
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2Kernels();
    if (!any) return nullptr;
  }
#endif
  return any || std::strcmp(name, "generic") == 0 ? &genericKernels() : nullptr;
}
