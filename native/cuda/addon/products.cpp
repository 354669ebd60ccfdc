// Prepares and launches products by cuBLASLt; products.hpp describes it.
#include "products.hpp"

#include <algorithm>
#include <tuple>

namespace cuda {
namespace {

/// Number of algorithms that the heuristic may propose. The first usable one is taken.
constexpr int kWanted = 8;

/// Parameters and the memory of a plan are aligned to this number of bytes.
constexpr Pointer kBiasAlignment = 256;

/// Alignment of rows in bytes. Rows of bf16 are aligned to 16. Rows of fp32 have no padding, so it follows from their
/// length.
uint32_t alignmentOf(bool rounded, int64_t stride) { return rounded || stride % 4 == 0 ? 16 : stride % 2 == 0 ? 8 : 4; }

std::string versionText(size_t version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

bool ProductShape::operator<(const ProductShape& o) const {
  const auto all = [](const ProductShape& s) {
    return std::tie(s.transposeA, s.transposeB, s.M, s.N, s.K, s.lda, s.ldb, s.ldc, s.rounded, s.bias, s.addend);
  };
  return all(*this) < all(o);
}

Products::Products(const std::vector<std::string>& libraries, int driverVersion, size_t largestWorkspace)
    : largestWorkspace_(largestWorkspace) {
  std::string reasons;
  for (const std::string& path : libraries) {
    try {
      const cublas::Library& library = cublas::Library::open(path);
      // A driver runs libraries of its own major version of CUDA, and of older ones.
      const size_t needs = library.runtimeVersion();
      if (needs / 1000 > static_cast<size_t>(driverVersion) / 1000)
        throw DriverError(path + " is for CUDA " + versionText(needs) + ", and the driver supports CUDA " +
                              versionText(driverVersion),
                          "NO_CUBLAS");
      library.check(library.create(&handle_), path + " cannot be started");
      library_ = &library;
      return;
    } catch (const DriverError& error) {
      reasons += (reasons.empty() ? "" : "\n") + std::string(error.what());
    }
  }
  throw DriverError(reasons, "NO_CUBLAS");
}

Products::~Products() {
  // Errors are ignored: a GPU that was lost cannot be closed.
  for (const auto& [shape, choice] : choices_) destroy(choice);
  if (handle_) library_->destroy(handle_);
}

void Products::destroy(const Choice& choice) const {
  for (const cublas::Handle layout : {choice.A, choice.B, choice.C})
    if (layout) library_->destroyLayout(layout);
}

int64_t Products::workspaceOf(const ProductShape& shape) {
  const Choice& choice = choiceOf(shape);
  return choice.found ? static_cast<int64_t>(choice.workspace) : -1;
}

cublas::Handle Products::operationOf(const ProductShape& shape, Pointer bias) const {
  const cublas::Library& lib = *library_;
  cublas::Handle operation = nullptr;
  lib.check(lib.createOperation(&operation, cublas::kSumsInFp32, cublas::kFp32), "describing a product");
  const auto set = [&](int attribute, auto value) {
    lib.check(lib.setOperation(operation, attribute, &value, sizeof value), "describing a product");
  };
  try {
    // The factors change places: the library's A is our B.
    if (shape.transposeB) set(cublas::kTransposeA, cublas::kTransposed);
    if (shape.transposeA) set(cublas::kTransposeB, cublas::kTransposed);
    if (shape.bias) {
      set(cublas::kEpilogue, cublas::kAddBias);
      set(cublas::kBiasPointer, reinterpret_cast<const void*>(bias));
    }
  } catch (...) {
    lib.destroyOperation(operation);
    throw;
  }
  return operation;
}

/// The alignments in the preference follow from the shape, not from addresses. So all products of a shape have the same
/// algorithm, wherever their matrices are in memory.
Products::Choice& Products::choiceOf(const ProductShape& s) {
  const auto known = choices_.find(s);
  if (known != choices_.end()) return known->second;
  const cublas::Library& lib = *library_;
  const auto check = [&](cublas::Status status) { lib.check(status, "describing a product"); };
  Choice choice;
  cublas::Handle operation = nullptr, preference = nullptr;
  const auto release = [&] {
    if (operation) lib.destroyOperation(operation);
    if (preference) lib.destroyPreference(preference);
  };
  try {
    const auto layout = [&](cublas::Handle* to, int type, bool transposed, uint64_t rows, uint64_t columns,
                            int64_t stride) {
      // Our rows are the library's columns.
      if (transposed) std::swap(rows, columns);
      check(lib.createLayout(to, type, columns, rows, stride));
    };
    layout(&choice.A, cublas::kBf16, s.transposeA, s.M, s.K, s.lda);
    layout(&choice.B, cublas::kBf16, s.transposeB, s.K, s.N, s.ldb);
    layout(&choice.C, s.rounded ? cublas::kBf16 : cublas::kFp32, false, s.M, s.N, s.ldc);
    // The library takes the alignment of a bias from its address, which is not known yet. All biases are aligned to 256
    // bytes.
    operation = operationOf(s, kBiasAlignment);
    check(lib.createPreference(&preference));
    const auto prefer = [&](int attribute, auto value) {
      check(lib.setPreference(preference, attribute, &value, sizeof value));
    };
    prefer(cublas::kMaxWorkspace, static_cast<uint64_t>(largestWorkspace_));
    prefer(cublas::kReductionSchemes, cublas::kReduceInFp32);
    const uint32_t alignment = alignmentOf(s.rounded, s.ldc);
    prefer(cublas::kAlignmentA, uint32_t{16});
    prefer(cublas::kAlignmentB, uint32_t{16});
    prefer(cublas::kAlignmentC, alignment);
    prefer(cublas::kAlignmentD, alignment);
    cublas::HeuristicResult results[kWanted] = {};
    int count = 0;
    // If the status is not success, no algorithm of this library can make the product on this GPU.
    const cublas::Status status =
        lib.heuristic(handle_, operation, choice.B, choice.A, choice.C, choice.C, preference, kWanted, results, &count);
    for (int i = 0; status == cublas::kSuccess && i < count && !choice.found; i++) {
      const cublas::HeuristicResult& r = results[i];
      if (r.state != cublas::kSuccess || r.workspace > largestWorkspace_) continue;
      int32_t outOfPlace = 1;
      size_t written = 0;
      if (s.addend == ProductShape::kApart)
        check(lib.capability(&r.algorithm, cublas::kOutOfPlace, &outOfPlace, sizeof outOfPlace, &written));
      if (!outOfPlace) continue;
      choice.found = true;
      choice.algorithm = r.algorithm;
      choice.workspace = r.workspace;
    }
  } catch (...) {
    release();
    destroy(choice);
    throw;
  }
  release();
  return choices_.emplace(s, choice).first->second;
}

Products::Prepared::Prepared(Products& products, const Product& product) : products_(products), product_(product) {
  if (!products.choiceOf(product.shape).found)
    throw DriverError("cuBLASLt has no algorithm for a product of this shape", "NO_ALGORITHM");
  operation_ = products.operationOf(product.shape, product.bias);
}

Products::Prepared::~Prepared() { products_.library_->destroyOperation(operation_); }

void Products::Prepared::launch(void* stream) const {
  const auto at = [](Pointer pointer) { return reinterpret_cast<void*>(pointer); };
  const Product& p = product_;
  const Choice& choice = products_.choices_.at(p.shape);
  const float alpha = 1, beta = p.shape.addend == ProductShape::kNone ? 0 : 1;
  const Pointer addend = p.shape.addend == ProductShape::kApart ? p.addend : p.C;
  const cublas::Library& lib = *products_.library_;
  lib.check(lib.multiply(products_.handle_, operation_, &alpha, at(p.B), choice.B, at(p.A), choice.A, &beta, at(addend),
                         choice.C, at(p.C), choice.C, &choice.algorithm, choice.workspace ? at(p.workspace) : nullptr,
                         choice.workspace, stream),
            "multiplying by cuBLASLt");
}

void Products::Prepared::launchFirst(void* stream) const {
  Choice& choice = products_.choices_.at(product_.shape);
  if (choice.launched) return;
  launch(stream);
  choice.launched = true;
}

}  // namespace cuda
