// Gives sources that are compiled for AVX-512 access to the instructions of AVX512_BF16 and AMX. A source uses them
// between BF16_INSTRUCTIONS_BEGIN and BF16_INSTRUCTIONS_END, which add these instructions to the compiler's target.
// HAS_BF16_INSTRUCTIONS says whether the compiler knows them: GCC from version 11, clang from version 12. An older
// compiler would reject flags of these names, so the engine is then built without these kernels.
#pragma once
#include "kernels.hpp"
#include "simd.hpp"

#if defined(EMULATE_BF16_INSTRUCTIONS)
// For the sanitizers, the instructions are emulated on any CPU with AVX-512.
#include "../exercise/emulated-bf16.hpp"
#define HAS_BF16_INSTRUCTIONS 1
#define BF16_INSTRUCTIONS_BEGIN
#define BF16_INSTRUCTIONS_END
#elif defined(__clang__)
#define HAS_BF16_INSTRUCTIONS (__clang_major__ >= 12)
#define BF16_INSTRUCTIONS_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx512bf16,amx-tile,amx-bf16\"))), apply_to = function)")
#define BF16_INSTRUCTIONS_END _Pragma("clang attribute pop")
#else
#define HAS_BF16_INSTRUCTIONS (__GNUC__ >= 11)
#define BF16_INSTRUCTIONS_BEGIN _Pragma("GCC push_options") _Pragma("GCC target(\"avx512bf16,amx-tile,amx-bf16\")")
#define BF16_INSTRUCTIONS_END _Pragma("GCC pop_options")
#endif
