// Chooses the table of kernels for this CPU: by its feature bits (CPUID, Intel SDM vol. 2A) and by what the operating
// system allows, never by its model name.
#include <cstring>

#include "kernels.hpp"

#if defined(ENGINE_X64)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace engine {
namespace {

#if defined(ENGINE_X64)

bool hasAvx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool hasAvx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}

#if defined(EMULATE_BF16_INSTRUCTIONS)
bool hasAvx512Bf16() { return hasAvx512(); }
bool hasAmx() { return hasAvx512(); }
#else

// CPUID directly, because compilers that know AVX-512 may not know the names of these features.

bool hasAvx512Bf16() {
  unsigned a, b, c, d;
  return hasAvx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/// Linux lets a process use AMX tile data only after it has requested permission (Linux kernel:
/// Documentation/arch/x86/xstate.rst).
bool mayUseTiles() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static const bool may = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return may;
#else
  return false;
#endif
}

bool hasAmx() {
  unsigned a, b, c, d;
  if (!hasAvx512Bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool bf16 = d >> 22 & 1, tiles = d >> 24 & 1;
  return bf16 && tiles && mayUseTiles();
}
#endif

#endif

struct InstructionSet {
  const char* name;
  /// Returns null if the CPU or the compiler lacks it.
  const Kernels* (*kernels)();
};

/// Sorted from best to worst.
constexpr InstructionSet kInstructionSets[] = {
#if defined(ENGINE_X64)
    {"amx", [] { return hasAmx() ? amxKernels() : nullptr; }},
    {"avx512bf16", [] { return hasAvx512Bf16() ? avx512bf16Kernels() : nullptr; }},
    {"avx512", [] { return hasAvx512() ? &avx512Kernels() : nullptr; }},
    {"avx2", [] { return hasAvx2() ? &avx2Kernels() : nullptr; }},
#endif
    {"generic", [] { return &genericKernels(); }},
};

}  // namespace

const Kernels* chooseKernels(const char* name) {
  const bool best = name == nullptr || *name == '\0';
  for (const InstructionSet& instructionSet : kInstructionSets)
    if (best || std::strcmp(name, instructionSet.name) == 0)
      if (const Kernels* kernels = instructionSet.kernels()) return kernels;
  return nullptr;
}

}  // namespace engine
