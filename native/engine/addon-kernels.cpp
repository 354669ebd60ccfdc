// The kernels one by one, for tests: kernel(set, name, [numbers], [arrays]) runs one on the arrays and returns its result.
#define NAPI_VERSION 8
#include <node_api.h>

#include <cstring>

#include "kernels.hpp"

namespace engine {
namespace {

struct Call {
  double n[16];
  float* f[8];
  uint32_t* u[8];

  int i(int k) const { return static_cast<int>(n[k]); }
  float x(int k) const { return static_cast<float>(n[k]); }
  MaskKey key(int k) const {
    return {static_cast<uint32_t>(n[k]), static_cast<uint32_t>(n[k + 1]), static_cast<uint32_t>(n[k + 2]),
            static_cast<uint32_t>(n[k + 3])};
  }
  AttentionHead head() const {
    const float* q = f[0];
    const long stride = i(2);
    return {i(0), i(1), q, q + stride / 3, q + stride / 3 * 2, stride, x(3), static_cast<uint32_t>(n[4]), i(5), key(6)};
  }
};

const struct {
  const char* name;
  double (*run)(const Kernels&, const Call&);
} kCalls[] = {
    {"panel", [](const Kernels& k, const Call&) -> double { return k.panel; }},
    {"gradientScratch", [](const Kernels& k, const Call&) { return static_cast<double>(k.gradientScratch()); }},
    {"pack", [](const Kernels& k, const Call& c) { return k.pack(c.i(0), c.i(1), c.f[0], c.i(2), c.f[1]), 0.0; }},
    {"packTransposed",
     [](const Kernels& k, const Call& c) { return k.packTransposed(c.i(0), c.i(1), c.f[0], c.i(2), c.f[1]), 0.0; }},
    // M, N, K, strideA, packedRows, strideC, addendStride | A, packed, C, addend, bias
    {"product",
     [](const Kernels& k, const Call& c) {
       k.product(c.i(0), c.i(1), c.i(2), c.f[0], c.i(3), c.f[1], c.i(4), c.f[2], c.i(5), {c.f[3], c.i(6), c.f[4]});
       return 0.0;
     }},
    {"accumulateGradient",
     [](const Kernels& k, const Call& c) {
       k.accumulateGradient(c.i(0), c.i(1), c.i(2), c.f[0], c.i(3), c.f[1], c.i(4), c.f[2], c.i(5), c.f[3]);
       return 0.0;
     }},
    // M, N, K, strideA, first, end, strideC, addendStride | A, packed, C, addend, bias
    {"streamProduct",
     [](const Kernels& k, const Call& c) {
       k.streamProduct(c.i(0), c.i(1), c.i(2), c.f[0], c.i(3), c.f[1], c.i(4), c.i(5), c.f[2], c.i(6),
                       {c.f[3], c.i(7), c.f[4]});
       return 0.0;
     }},
    // position, D | key, value, keys, values
    {"keepToken", [](const Kernels& k, const Call& c) { return k.keepToken(c.i(0), c.i(1), c.f[0], c.f[1], c.f[2], c.f[3]), 0.0; }},
    // count, D, scale | q, keys, values, scores, out
    {"attendToKept",
     [](const Kernels& k, const Call& c) {
       return k.attendToKept(c.i(0), c.i(1), c.x(2), c.f[0], c.f[1], c.f[2], c.f[3], c.f[4]), 0.0;
     }},
    // length, width, stride, scale, dropout, number, seed, step, sequence, site | queries, keys and values in thirds of a row; out;
    // largest, then inverse; scratch
    {"attend",
     [](const Kernels& k, const Call& c) {
       k.attend(c.head(), c.f[1], c.i(2) / 3, c.f[2], c.f[2] + c.i(0), c.f[3]);
       return 0.0;
     }},
    // the same | queries, keys and values; out; dout; largest, then inverse; gradients of queries, keys and values; scratch
    {"attendBackward",
     [](const Kernels& k, const Call& c) {
       const int C = c.i(2) / 3;
       k.attendBackward(c.head(), c.f[1], c.f[2], C, c.f[3], c.f[3] + c.i(0), c.f[4], c.f[4] + C, c.f[4] + 2 * C,
                        c.f[5]);
       return 0.0;
     }},
    {"attentionScratch",
     [](const Kernels& k, const Call& c) { return static_cast<double>(k.attentionScratch(c.i(0), c.i(1))); }},
    {"keptRow", [](const Kernels& k, const Call& c) { return static_cast<double>(k.keptRow(c.i(0))); }},
    {"keptTokens", [](const Kernels& k, const Call& c) { return static_cast<double>(k.keptTokens(c.i(0))); }},
    {"packedSize", [](const Kernels& k, const Call& c) { return static_cast<double>(k.packedSize(c.i(0), c.i(1))); }},
    {"multiplyAdds", [](const Kernels& k, const Call& c) { return k.multiplyAdds(static_cast<long>(c.n[0])); }},
    {"layerNorm",
     [](const Kernels& k, const Call& c) {
       return k.layerNorm(c.i(0), c.i(1), c.f[0], c.f[1], c.f[2], c.f[3], c.f[4], c.f[5]), 0.0;
     }},
    {"layerNormBackward",
     [](const Kernels& k, const Call& c) {
       k.layerNormBackward(c.i(0), c.i(1), c.f[0], c.f[1], c.f[2], c.f[3], c.f[4], c.f[5], c.f[6], c.f[7]);
       return 0.0;
     }},
    {"addColumnSums",
     [](const Kernels& k, const Call& c) { return k.addColumnSums(c.i(0), c.i(1), c.f[0], c.i(2), c.f[1]), 0.0; }},
    {"crossEntropy",
     [](const Kernels& k, const Call& c) { return k.crossEntropy(c.i(0), c.i(1), c.f[0], c.u[1], c.x(2)); }},
    {"gelu", [](const Kernels& k, const Call& c) { return k.gelu(c.i(0), c.f[0], c.f[1]), 0.0; }},
    {"geluBackward", [](const Kernels& k, const Call& c) { return k.geluBackward(c.i(0), c.f[0], c.f[1], c.f[2]), 0.0; }},
    {"add", [](const Kernels& k, const Call& c) { return k.add(c.i(0), c.f[0], c.f[1]), 0.0; }},
    // n, threshold, seed, step, sequence, site
    {"dropout",
     [](const Kernels& k, const Call& c) {
       return k.dropout(c.i(0), c.f[0], c.f[1], static_cast<uint32_t>(c.n[1]), c.key(2)), 0.0;
     }},
    // rows, keys, stride, firstRow, threshold, seed, step, sequence, site
    {"dropoutRows",
     [](const Kernels& k, const Call& c) {
       k.dropoutRows(c.i(0), c.i(1), c.f[0], c.f[1], c.i(2), static_cast<uint32_t>(c.n[3]),
                     static_cast<uint32_t>(c.n[4]), c.key(5));
       return 0.0;
     }},
    {"lstmCell",
     [](const Kernels& k, const Call& c) {
       return k.lstmCell(c.i(0), c.i(1), c.f[0], c.f[1], c.f[2], c.f[3], c.f[4]), 0.0;
     }},
    {"lstmCellBackward",
     [](const Kernels& k, const Call& c) {
       return k.lstmCellBackward(c.i(0), c.i(1), c.f[0], c.f[1], c.f[2], c.f[3], c.f[4]), 0.0;
     }},
    {"sumOfSquares", [](const Kernels& k, const Call& c) { return k.sumOfSquares(c.i(0), c.f[0]); }},
    // n, then AdamW's fields in order | w, g, m, v
    {"adamw",
     [](const Kernels& k, const Call& c) {
       k.adamw(c.i(0), c.f[0], c.f[1], c.f[2], c.f[3],
               {c.x(1), c.x(2), c.x(3), c.x(4), c.x(5), c.x(6), c.x(7), c.x(8)});
       return 0.0;
     }},
    {"exp", [](const Kernels& k, const Call& c) { return k.exp(c.i(0), c.f[0], c.f[1]), 0.0; }},
    {"tanh", [](const Kernels& k, const Call& c) { return k.tanh(c.i(0), c.f[0], c.f[1]), 0.0; }},
    {"sigmoid", [](const Kernels& k, const Call& c) { return k.sigmoid(c.i(0), c.f[0], c.f[1]), 0.0; }},
};

}  // namespace

/// kernel(set, name, numbers, arrays): an array that is null stays null; set: generic, avx2, avx512, or one of them and "/bf16"
napi_value kernel(napi_env env, napi_callback_info info) {
  napi_value args[4], result;
  size_t count = 4;
  char set[32], name[32];
  if (napi_get_cb_info(env, info, &count, args, nullptr, nullptr) != napi_ok || count < 4 ||
      napi_get_value_string_utf8(env, args[0], set, sizeof set, nullptr) != napi_ok ||
      napi_get_value_string_utf8(env, args[1], name, sizeof name, nullptr) != napi_ok)
    return napi_throw_error(env, nullptr, "kernel(set, name, numbers, arrays)"), nullptr;
  char* precision = std::strchr(set, '/');
  if (precision) *precision = '\0';
  const Kernels* kernels = chooseKernels(set);
  if (kernels && precision) kernels = kernels->bf16;
  if (!kernels) return napi_throw_error(env, nullptr, "no such kernels"), nullptr;
  Call call = {};
  uint32_t length = 0;
  napi_get_array_length(env, args[2], &length);
  for (uint32_t i = 0; i < length && i < 16; i++) {
    napi_value item;
    napi_get_element(env, args[2], i, &item);
    napi_get_value_double(env, item, &call.n[i]);
  }
  napi_get_array_length(env, args[3], &length);
  for (uint32_t i = 0; i < length && i < 8; i++) {
    napi_value item;
    void* data = nullptr;
    napi_typedarray_type type;
    napi_get_element(env, args[3], i, &item);
    if (napi_get_typedarray_info(env, item, &type, nullptr, &data, nullptr, nullptr) != napi_ok) continue;
    if (type == napi_float32_array) call.f[i] = static_cast<float*>(data);
    if (type == napi_uint32_array) call.u[i] = static_cast<uint32_t*>(data);
  }
  for (const auto& c : kCalls)
    if (std::strcmp(c.name, name) == 0) {
      napi_create_double(env, c.run(*kernels, call), &result);
      return result;
    }
  return napi_throw_error(env, nullptr, "no such kernel"), nullptr;
}

}  // namespace engine
