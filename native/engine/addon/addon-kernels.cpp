// Runs single kernels, for tests and benchmarks: kernel(set, name, [numbers], [arrays]) runs the kernel on the arrays
// and returns its result.
#define NAPI_VERSION 8
#include <node_api.h>

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels/kernels.hpp"

namespace engine {
namespace {

struct Array {
  napi_typedarray_type type;
  void* data;
  size_t size;
};

/// The arguments of one call. Its methods return an argument, or throw if it is missing or wrong.
struct Call {
  static constexpr int kNumbers = 16, kArrays = 8;
  double numbers[kNumbers];
  Array arrays[kArrays];
  int numberCount, arrayCount;

  double x(int k) const {
    if (k >= numberCount) throw std::runtime_error("number " + std::to_string(k) + " is missing");
    return numbers[k];
  }
  float real(int k) const { return static_cast<float>(x(k)); }
  uint32_t natural(int k) const {
    if (!(x(k) >= 0 && x(k) <= 4294967295.0 && x(k) == std::floor(x(k))))
      throw std::runtime_error("number " + std::to_string(k) + " is not an unsigned 32-bit integer");
    return static_cast<uint32_t>(x(k));
  }
  int size(int k) const {
    if (natural(k) > 1 << 24) throw std::runtime_error("number " + std::to_string(k) + " is too large");
    return static_cast<int>(natural(k));
  }
  MaskKey key(int k) const { return {natural(k), natural(k + 1), natural(k + 2), natural(k + 3)}; }

  /// Array k, of at least `min` floats.
  float* floats(int k, size_t min) const { return static_cast<float*>(of(k, napi_float32_array, min)); }
  /// The same, or null.
  float* optional(int k, size_t min) const { return k < arrayCount && arrays[k].data ? floats(k, min) : nullptr; }
  /// Array k, of at least `count` tokens below `end`.
  uint32_t* tokens(int k, size_t count, uint32_t end) const {
    auto* tokens = static_cast<uint32_t*>(of(k, napi_uint32_array, count));
    for (size_t i = 0; i < count; i++)
      if (tokens[i] >= end) throw std::runtime_error("a token of array " + std::to_string(k) + " is too large");
    return tokens;
  }
  /// A head whose q, k and v are in array 0, in thirds of a row.
  AttentionHead head() const {
    const int third = size(2) / 3;
    const float* q = floats(0, headSize());
    return {size(0), size(1), q, q + third, q + 2 * third, size(2), real(3), natural(4), size(5), key(6)};
  }
  size_t headSize() const {
    const size_t third = size(2) / 3;
    if (static_cast<size_t>(size(1)) > third) throw std::runtime_error("a head is wider than a third of a row");
    return size(0) == 0 ? 0 : static_cast<size_t>(size(0) - 1) * size(2) + 2 * third + size(1);
  }

 private:
  void* of(int k, napi_typedarray_type type, size_t min) const {
    if (k >= arrayCount || arrays[k].type != type || (!arrays[k].data && min > 0))
      throw std::runtime_error("array " + std::to_string(k) + " is missing, or of another type");
    if (arrays[k].size < min)
      throw std::runtime_error("array " + std::to_string(k) + " is shorter than " + std::to_string(min));
    return arrays[k].data;
  }
};

/// Floats from the start of the first row to the end of the last.
size_t span(size_t rows, size_t stride, size_t width) { return rows == 0 ? 0 : (rows - 1) * stride + width; }

/// Throws an error with this message unless the condition holds.
void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

/// Runs a kernel that maps n elements. n | x, out
template <void (*Kernels::*kernel)(long, const float*, float*)>
double elementwise(const Kernels& k, const Call& c) {
  (k.*kernel)(c.size(0), c.floats(0, c.size(0)), c.floats(1, c.size(0)));
  return 0.0;
}

// The names that the tests use. Each comment lists numbers | arrays.
const struct {
  const char* name;
  double (*run)(const Kernels&, const Call&);
} kCalls[] = {
    {"panel", [](const Kernels& k, const Call&) -> double { return k.panel; }},
    {"gradientScratch", [](const Kernels& k, const Call&) { return static_cast<double>(k.gradientScratch()); }},
    {"valueRowSize", [](const Kernels& k, const Call& c) { return static_cast<double>(k.valueRowSize(c.size(0))); }},
    {"paddedTokens", [](const Kernels& k, const Call& c) { return static_cast<double>(k.paddedTokens(c.size(0))); }},
    {"packedSize",
     [](const Kernels& k, const Call& c) { return static_cast<double>(k.packedSize(c.size(0), c.size(1))); }},
    {"multiplyAdds", [](const Kernels& k, const Call& c) { return k.multiplyAdds(c.natural(0)); }},
    // K, N, stride | B, packed
    {"pack",
     [](const Kernels& k, const Call& c) {
       const int K = c.size(0), N = c.size(1), stride = c.size(2);
       k.pack(K, N, c.floats(0, span(K, stride, N)), stride, c.floats(1, k.packedSize(K, N)));
       return 0.0;
     }},
    {"packTransposed",
     [](const Kernels& k, const Call& c) {
       const int K = c.size(0), N = c.size(1), stride = c.size(2);
       k.packTransposed(K, N, c.floats(0, span(N, stride, K)), stride, c.floats(1, k.packedSize(K, N)));
       return 0.0;
     }},
    // M, N, K, strideA, packedRows, strideC, addendStride | A, packed, C, addend, bias
    {"product",
     [](const Kernels& k, const Call& c) {
       const int M = c.size(0), N = c.size(1), K = c.size(2), rows = c.size(4);
       require(K <= rows, "K is larger than packedRows");
       k.product(M, N, K, c.floats(0, span(M, c.size(3), K)), c.size(3), c.floats(1, k.packedSize(rows, N)), rows,
                 c.floats(2, span(M, c.size(5), N)), c.size(5),
                 {c.optional(3, span(M, c.size(6), N)), c.size(6), c.optional(4, N)});
       return 0.0;
     }},
    // M, N, K, strideA, strideB, strideC, overwrite | A, B, C, scratch
    {"accumulateGradient",
     [](const Kernels& k, const Call& c) {
       const int M = c.size(0), N = c.size(1), K = c.size(2);
       k.accumulateGradient(M, N, K, c.floats(0, span(K, c.size(3), M)), c.size(3), c.floats(1, span(K, c.size(4), N)),
                            c.size(4), c.floats(2, span(M, c.size(5), N)), c.size(5), c.size(6) != 0,
                            c.floats(3, k.gradientScratch()));
       return 0.0;
     }},
    // M, N, K, strideA, first, end, strideC, addendStride | A, packed, C, addend, bias
    {"streamProduct",
     [](const Kernels& k, const Call& c) {
       const int M = c.size(0), N = c.size(1), K = c.size(2), first = c.size(4), end = c.size(5);
       require(end <= k.panels(N), "endPanel is larger than the number of panels");
       k.streamProduct(M, N, K, c.floats(0, span(M, c.size(3), K)), c.size(3), c.floats(1, k.packedSize(K, N)), first,
                       end, c.floats(2, span(M, c.size(6), N)), c.size(6),
                       {c.optional(3, span(M, c.size(7), N)), c.size(7), c.optional(4, N)});
       return 0.0;
     }},
    // position, D | key, value, keys, values
    {"appendToCache",
     [](const Kernels& k, const Call& c) {
       const size_t position = c.size(0), D = c.size(1);
       k.appendToCache(c.size(0), c.size(1), c.floats(0, D), c.floats(1, D),
                       c.floats(2, D * k.paddedTokens(position + 1)), c.floats(3, (position + 1) * k.valueRowSize(D)));
       return 0.0;
     }},
    // count, D, scale | q, keys, values, scores, out
    {"attentionDecode",
     [](const Kernels& k, const Call& c) {
       const size_t count = c.size(0), D = c.size(1);
       k.attentionDecode(c.size(0), c.size(1), c.real(2), c.floats(0, D), c.floats(1, D * k.paddedTokens(count)),
                         c.floats(2, count * k.valueRowSize(D)), c.floats(3, k.paddedTokens(count)), c.floats(4, D));
       return 0.0;
     }},
    // length, width, stride, scale, threshold, head, seed, step, sequence, site | q, k and v in thirds of a row; out;
    // rowMax, then rowSumInv; scratch
    {"attention",
     [](const Kernels& k, const Call& c) {
       const size_t T = c.size(0), C = c.size(2) / 3;
       k.attention(c.head(), c.floats(1, span(T, C, c.size(1))), C, c.floats(2, 2 * T), c.floats(2, 2 * T) + T,
                   c.floats(3, k.attentionScratch(c.size(1), T)));
       return 0.0;
     }},
    // the numbers of "attention" | q, k and v; out; dout; rowMax, then rowSumInv; dq, dk and dv; scratch
    {"attentionBackward",
     [](const Kernels& k, const Call& c) {
       const size_t T = c.size(0), C = c.size(2) / 3, size = span(T, C, c.size(1));
       float *rowMax = c.floats(3, 2 * T), *dq = c.floats(4, c.headSize());
       k.attentionBackward(c.head(), c.floats(1, size), c.floats(2, size), C, rowMax, rowMax + T, dq, dq + C,
                           dq + 2 * C, c.floats(5, k.attentionScratch(c.size(1), T)));
       return 0.0;
     }},
    {"attentionScratch",
     [](const Kernels& k, const Call& c) { return static_cast<double>(k.attentionScratch(c.size(0), c.size(1))); }},
    // rows, heads, D, direction, stride | cosines, sines, x
    {"rotate",
     [](const Kernels& k, const Call& c) {
       const size_t rows = c.size(0), heads = c.size(1), D = c.size(2);
       require(D % 2 == 0, "D is odd");
       require(heads * D <= static_cast<size_t>(c.size(4)), "the heads are wider than a row");
       k.rotate(c.size(0), c.size(1), c.size(2), c.floats(0, rows * D / 2), c.floats(1, rows * D / 2), c.real(3),
                c.floats(2, span(rows, c.size(4), heads * D)), c.size(4));
       return 0.0;
     }},
    // rows, C | x, weight, bias, out, mean, rstd
    {"layerNorm",
     [](const Kernels& k, const Call& c) {
       const size_t rows = c.size(0), C = c.size(1);
       k.layerNorm(c.size(0), c.size(1), c.floats(0, rows * C), c.floats(1, C), c.optional(2, C), c.floats(3, rows * C),
                   c.optional(4, rows), c.optional(5, rows));
       return 0.0;
     }},
    // rows, C, whether there is a bias | x, weight, bias, mean and then rstd, dout, dweight and then dbias, dx, out
    {"layerNormBackward",
     [](const Kernels& k, const Call& c) {
       const size_t rows = c.size(0), C = c.size(1), all = rows * C;
       const bool bias = c.size(2) != 0;
       const float* means = c.floats(3, 2 * rows);
       float *dweight = c.floats(5, bias ? 2 * C : C), *dx = c.floats(6, all);
       k.layerNormBackward(c.size(0), c.size(1), c.floats(0, all), c.floats(1, C), bias ? c.floats(2, C) : nullptr,
                           means, means + rows, c.floats(4, all), dx, dx, dweight, bias ? dweight + C : nullptr,
                           c.optional(7, all));
       return 0.0;
     }},
    // rows, N, stride | x, sums
    {"addColumnSums",
     [](const Kernels& k, const Call& c) {
       k.addColumnSums(c.size(0), c.size(1), c.floats(0, span(c.size(0), c.size(2), c.size(1))), c.size(2),
                       c.floats(1, c.size(1)));
       return 0.0;
     }},
    // rows, V, scale | logits, targets
    {"crossEntropy",
     [](const Kernels& k, const Call& c) {
       const size_t rows = c.size(0), V = c.size(1);
       return k.crossEntropy(c.size(0), c.size(1), c.floats(0, rows * V), c.tokens(1, rows, V), c.real(2));
     }},
    // n | x, out
    {"gelu", elementwise<&Kernels::gelu>},
    {"exp", elementwise<&Kernels::exp>},
    {"tanh", elementwise<&Kernels::tanh>},
    {"sigmoid", elementwise<&Kernels::sigmoid>},
    {"add", elementwise<&Kernels::add>},
    // | x, out, dout
    {"geluBackward",
     [](const Kernels& k, const Call& c) {
       const size_t n = c.size(0);
       return k.geluBackward(c.size(0), c.floats(0, n), c.floats(1, n), c.floats(2, n)), 0.0;
     }},
    // n, threshold, seed, step, sequence, site
    {"dropout",
     [](const Kernels& k, const Call& c) {
       return k.dropout(c.size(0), c.floats(0, c.size(0)), c.floats(1, c.size(0)), c.natural(1), c.key(2)), 0.0;
     }},
    // rows, keys, stride, firstRow, threshold, seed, step, sequence, site
    {"dropoutRows",
     [](const Kernels& k, const Call& c) {
       const size_t size = span(c.size(0), c.size(2), c.size(1));
       k.dropoutRows(c.size(0), c.size(1), c.floats(0, size), c.floats(1, size), c.size(2), c.natural(3), c.natural(4),
                     c.key(5));
       return 0.0;
     }},
    // B, H | gates, previousCell, cell, tanhCell, hidden
    {"lstmCell",
     [](const Kernels& k, const Call& c) {
       const size_t n = static_cast<size_t>(c.size(0)) * c.size(1);
       k.lstmCell(c.size(0), c.size(1), c.floats(0, 4 * n), c.optional(1, n), c.floats(2, n), c.floats(3, n),
                  c.floats(4, n));
       return 0.0;
     }},
    // B, H | gates, previousCell, tanhCell, dhidden, dcell
    {"lstmCellBackward",
     [](const Kernels& k, const Call& c) {
       const size_t n = static_cast<size_t>(c.size(0)) * c.size(1);
       k.lstmCellBackward(c.size(0), c.size(1), c.floats(0, 4 * n), c.optional(1, n), c.floats(2, n), c.floats(3, n),
                          c.floats(4, n));
       return 0.0;
     }},
    {"sumOfSquares", [](const Kernels& k, const Call& c) { return k.sumOfSquares(c.size(0), c.floats(0, c.size(0))); }},
    // n, then AdamW's fields in order | w, g, m, v
    {"adamw",
     [](const Kernels& k, const Call& c) {
       const size_t n = c.size(0);
       k.adamw(c.size(0), c.floats(0, n), c.floats(1, n), c.floats(2, n), c.floats(3, n),
               {c.real(1), c.real(2), c.real(3), c.real(4), c.real(5), c.real(6), c.real(7), c.real(8)});
       return 0.0;
     }},
};

/// Calls read(item, index) for each element of a list of at most `max` elements. Returns their number.
template <class Read>
int readList(napi_env env, napi_value list, int max, Read read) {
  uint32_t length = 0;
  if (napi_get_array_length(env, list, &length) != napi_ok || static_cast<int>(length) > max)
    throw std::runtime_error("numbers and arrays are lists of at most 16 and 8");
  for (uint32_t i = 0; i < length; i++) {
    napi_value item;
    if (napi_get_element(env, list, i, &item) != napi_ok || !read(item, i))
      throw std::runtime_error("the first list may hold only numbers, the second only arrays and null");
  }
  return static_cast<int>(length);
}

/// Reads the arguments of kernel() and runs the kernel.
double runKernel(napi_env env, napi_callback_info info) {
  napi_value args[4];
  size_t count = 4;
  char set[32], name[32];
  if (napi_get_cb_info(env, info, &count, args, nullptr, nullptr) != napi_ok || count < 4 ||
      napi_get_value_string_utf8(env, args[0], set, sizeof set, nullptr) != napi_ok ||
      napi_get_value_string_utf8(env, args[1], name, sizeof name, nullptr) != napi_ok)
    throw std::runtime_error("kernel(set, name, numbers, arrays)");
  char* precision = std::strchr(set, '/');
  if (precision) *precision = '\0';
  const Kernels* kernels = chooseKernels(set);
  if (kernels && precision) kernels = kernels->bf16;
  if (!kernels) throw std::runtime_error("the instruction set is unknown, or this CPU lacks it");
  Call call = {};
  call.numberCount = readList(env, args[2], Call::kNumbers, [&](napi_value item, uint32_t i) {
    return napi_get_value_double(env, item, &call.numbers[i]) == napi_ok;
  });
  call.arrayCount = readList(env, args[3], Call::kArrays, [&](napi_value item, uint32_t i) {
    napi_valuetype type;
    if (napi_typeof(env, item, &type) == napi_ok && (type == napi_null || type == napi_undefined)) return true;
    Array& a = call.arrays[i];
    return napi_get_typedarray_info(env, item, &a.type, &a.size, &a.data, nullptr, nullptr) == napi_ok;
  });
  for (const auto& c : kCalls)
    if (std::strcmp(c.name, name) == 0) return c.run(*kernels, call);
  throw std::runtime_error("unknown kernel");
}

}  // namespace

/// kernel(set, name, numbers, arrays) → number. A null array stays null. set: a name that chooseKernels accepts, or one
/// followed by "/bf16".
napi_value kernel(napi_env env, napi_callback_info info) {
  try {
    napi_value result;
    return napi_create_double(env, runKernel(env, info), &result) == napi_ok ? result : nullptr;
  } catch (const std::exception& e) {
    napi_throw_error(env, nullptr, e.what());
    return nullptr;
  }
}

}  // namespace engine
