// The instructions of AVX512_BF16 and AMX, for sources that are compiled for AVX-512. A source that uses them stands
// between BF16_INSTRUCTIONS_BEGIN and _END, where the compiler may take them; HAS_BF16_INSTRUCTIONS says whether it
// knows them. GCC does from version 11 on, clang from 12 on; older ones would refuse flags of these names, and build
// the engine without.
#pragma once
#include "kernels.hpp"
#include "simd.hpp"

#if defined(EMULATE_BF16_INSTRUCTIONS)
// by the sanitizers, on any CPU with AVX-512
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
