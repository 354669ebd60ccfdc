// Matrix products by cuBLASLt: which algorithm makes a product of some shape, and its launch.
//
// Matrices of the engine are row-major, those of cuBLASLt column-major. A row-major matrix is a column-major one
// transposed, so C = A·B is asked for as Cᵀ = Bᵀ·Aᵀ: the factors change places, and each is transposed if it was not.
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
  /// Numbers from row to row. In bf16 a multiple of 8, so that rows are aligned to 16 bytes.
  int64_t lda, ldb, ldc;
  /// Whether C is bf16. The addend has the type of C.
  bool rounded;
  /// Whether an fp32 vector (N) is added to each row.
  bool bias;
  /// kNone; kInPlace: the product is added to C; kApart: C = product + another matrix.
  enum Addend { kNone, kInPlace, kApart } addend;

  bool operator<(const ProductShape& other) const;
};

/// A product and where its matrices are. Those that its shape does not have are 0.
struct Product {
  ProductShape shape;
  Pointer A, B, bias, addend, C, workspace;
};

/// cuBLASLt, ready for one device. Used with the context of the device current.
class Products {
 public:
  /// Takes the first of the libraries that works with this driver. Throws DriverError, NO_CUBLAS, with a line for each
  /// if none does.
  Products(const std::vector<std::string>& libraries, int driverVersion, size_t largestWorkspace);
  ~Products();
  Products(const Products&) = delete;

  const cublas::Library& library() const { return *library_; }
  /// Bytes of workspace that a product of this shape needs; -1 if cuBLASLt has no algorithm for it.
  int64_t workspaceOf(const ProductShape& shape);

  /// A product that is ready for its launch, which calls nothing of cuBLASLt but cublasLtMatmul.
  class Prepared {
   public:
    Prepared(Products& products, const Product& product);
    ~Prepared();
    Prepared(const Prepared&) = delete;
    /// Throws DriverError.
    void launch(void* stream) const;
    /// The first launch of an algorithm loads its kernels, which a driver may refuse while a plan is recorded.
    void launchFirst(void* stream) const;

   private:
    Products& products_;
    const Product product_;
    cublas::Handle operation_ = nullptr;
  };

 private:
  /// What does not change from product to product of one shape.
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
