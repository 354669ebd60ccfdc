// Matrix products by cuBLASLt: chooses an algorithm for each shape, and launches it.
//
// The engine's matrices are row-major, and cuBLASLt's are column-major. A row-major matrix is the transpose of a
// column-major one, so C = A·B becomes Cᵀ = Bᵀ·Aᵀ: the factors change places, and keep their transpose flags.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cublas.hpp"
#include "driver.hpp"

namespace cuda {

/// C (M,N) = A·B + bias + addend, row-major. A (M,K) or, if transposeA, (K,M); B (K,N) or, if transposeB, (N,K). A and
/// B are bf16, sums fp32.
struct ProductShape {
  bool transposeA, transposeB;
  uint64_t M, N, K;
  /// Row strides, in numbers. In bf16 they are multiples of 8, so that rows are aligned to 16 bytes.
  int64_t lda, ldb, ldc;
  /// Whether C is bf16. The addend has the type of C.
  bool rounded;
  /// Whether an fp32 vector (N) is added to each row.
  bool bias;
  /// kNone; kInPlace: the product is added to C; kApart: C = product + another matrix.
  enum Addend { kNone, kInPlace, kApart } addend;

  bool operator<(const ProductShape& other) const;
};

/// A product and the addresses of its matrices. Addresses that its shape does not have are 0.
struct Product {
  ProductShape shape;
  Pointer A, B, bias, addend, C, workspace;
};

/// cuBLASLt for one device. Callers make the context of the device current.
class Products {
 public:
  /// Opens the first of the libraries that works with this driver. If none does, throws DriverError, NO_CUBLAS, with a
  /// line for each library.
  Products(const std::vector<std::string>& libraries, int driverVersion, size_t largestWorkspace);
  ~Products();
  Products(const Products&) = delete;

  const cublas::Library& library() const { return *library_; }
  /// Bytes of workspace that a product of this shape needs; -1 if cuBLASLt has no algorithm for it.
  int64_t workspaceOf(const ProductShape& shape);

  /// A product that is ready to be launched. launch() calls only cublasLtMatmul.
  class Prepared {
   public:
    Prepared(Products& products, const Product& product);
    ~Prepared();
    Prepared(const Prepared&) = delete;
    /// Throws DriverError.
    void launch(void* stream) const;
    /// Launches the product, unless its algorithm has been launched before. The first launch of an algorithm loads its
    /// kernels, which a driver may refuse while a plan is recorded. Throws DriverError.
    void launchFirst(void* stream) const;

   private:
    Products& products_;
    const Product product_;
    cublas::Handle operation_ = nullptr;
  };

 private:
  /// The layouts and the algorithm that all products of one shape share.
  struct Choice {
    cublas::Handle A = nullptr, B = nullptr, C = nullptr;
    bool found = false, launched = false;
    cublas::Algorithm algorithm = {};
    size_t workspace = 0;
  };
  Choice& choiceOf(const ProductShape& shape);
  cublas::Handle operationOf(const ProductShape& shape, Pointer bias) const;
  void destroy(const Choice& choice) const;

  const cublas::Library* library_ = nullptr;
  cublas::Handle handle_ = nullptr;
  const size_t largestWorkspace_;
  std::map<ProductShape, Choice> choices_;
};

}  // namespace cuda
