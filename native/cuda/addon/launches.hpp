// Launches as JavaScript passes them.
#pragma once
#include <napi.h>

#include "plan.hpp"

namespace cuda {

/// {layout: "NN", "NT" or "TN", M, N, K, lda, ldb, ldc, rounded, bias, addend: "none", "in place" or "apart"}
ProductShape shapeOf(const Napi::Object& from);

/// A list of kernels and products. A kernel is {kernel, grid: [x, y, z], threads, shared, kinds, values}: kinds has a
/// letter for each value, f for a float, else i. A product is {product: a shape, pointers: [A, B, bias, addend, C,
/// workspace]}; pointers that it does not have are 0.
std::vector<Launch> launchesOf(const Napi::Array& list);

}  // namespace cuda
