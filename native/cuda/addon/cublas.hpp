// The functions of cuBLASLt that this addon calls. The library is optional, and is opened at run time. Types, names and
// numbers are copied from cublasLt.h, cublas_api.h and library_types.h, so that building needs no headers of NVIDIA.
// They are the same in the versions 11, 12 and 13 (scripts/cuda/check-cublas.ts compares them).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cuda::cublas {

using Status = int;
using Handle = void*;  // the library's handle, or a descriptor of a product, a layout or a preference

/// From cublasStatus_t.
constexpr Status kSuccess = 0;
/// From cublasComputeType_t: sums in fp32. From cudaDataType_t: the types of matrices.
constexpr int kSumsInFp32 = 68, kFp32 = 0, kBf16 = 14;
/// From cublasLtMatmulDescAttributes_t. Types of the values: int32_t, int32_t, uint32_t (cublasLtEpilogue_t), const
/// void*.
constexpr int kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8;
/// From cublasOperation_t and cublasLtEpilogue_t.
constexpr int32_t kTransposed = 1;
constexpr uint32_t kAddBias = 4;
/// From cublasLtMatmulPreferenceAttributes_t. The value of the first is uint64_t, those of the others uint32_t.
constexpr int kMaxWorkspace = 1, kReductionSchemes = 3, kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7,
              kAlignmentD = 8;
/// From cublasLtReductionScheme_t: parts of a sum are kept in the workspace in fp32, and another kernel adds them up.
/// 0, which does not split K, is always allowed.
constexpr uint32_t kReduceInFp32 = 2;
/// From cublasLtMatmulAlgoCapAttributes_t, int32_t: whether D may be another matrix than C.
constexpr int kOutOfPlace = 4;

/// cublasLtMatmulAlgo_t: a kernel and how it is launched.
struct Algorithm {
  uint64_t data[8];
};
/// cublasLtMatmulHeuristicResult_t.
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace;
  Status state;
  float waves;
  int reserved[4];
};

#define CUBLAS_FUNCTIONS(X)                                                                                            \
  X(create, "cublasLtCreate", Status, (Handle * handle))                                                               \
  X(destroy, "cublasLtDestroy", Status, (Handle handle))                                                               \
  X(version, "cublasLtGetVersion", size_t, ())                                                                         \
  X(runtimeVersion, "cublasLtGetCudartVersion", size_t, ())                                                            \
  X(statusName, "cublasLtGetStatusName", const char*, (Status status))                                                 \
  X(createOperation, "cublasLtMatmulDescCreate", Status, (Handle * operation, int computeType, int scaleType))         \
  X(destroyOperation, "cublasLtMatmulDescDestroy", Status, (Handle operation))                                         \
  X(setOperation, "cublasLtMatmulDescSetAttribute", Status,                                                            \
    (Handle operation, int attribute, const void* value, size_t size))                                                 \
  X(createLayout, "cublasLtMatrixLayoutCreate", Status,                                                                \
    (Handle * layout, int type, uint64_t rows, uint64_t columns, int64_t stride))                                      \
  X(destroyLayout, "cublasLtMatrixLayoutDestroy", Status, (Handle layout))                                             \
  X(createPreference, "cublasLtMatmulPreferenceCreate", Status, (Handle * preference))                                 \
  X(destroyPreference, "cublasLtMatmulPreferenceDestroy", Status, (Handle preference))                                 \
  X(setPreference, "cublasLtMatmulPreferenceSetAttribute", Status,                                                     \
    (Handle preference, int attribute, const void* value, size_t size))                                                \
  X(heuristic, "cublasLtMatmulAlgoGetHeuristic", Status,                                                               \
    (Handle handle, Handle operation, Handle A, Handle B, Handle C, Handle D, Handle preference, int wanted,           \
     HeuristicResult* results, int* found))                                                                            \
  X(capability, "cublasLtMatmulAlgoCapGetAttribute", Status,                                                           \
    (const Algorithm* algorithm, int attribute, void* value, size_t size, size_t* written))                            \
  X(multiply, "cublasLtMatmul", Status,                                                                                \
    (Handle handle, Handle operation, const void* alpha, const void* A, Handle layoutA, const void* B, Handle layoutB, \
     const void* beta, const void* C, Handle layoutC, void* D, Handle layoutD, const Algorithm* algorithm,             \
     void* workspace, size_t workspaceSize, void* stream))

/// The library and its functions. Opened once for each path, and never closed.
struct Library {
#define CUBLAS_DECLARE(member, name, Result, parameters) Result(*member) parameters = nullptr;
  CUBLAS_FUNCTIONS(CUBLAS_DECLARE)
#undef CUBLAS_DECLARE

  std::string path;

  /// Throws DriverError, NO_CUBLAS, if it cannot be loaded or lacks a function.
  static const Library& open(const std::string& path);
  /// Throws DriverError if `status` is not 0. `doing` says what was attempted.
  void check(Status status, const std::string& doing) const;
};

}  // namespace cuda::cublas
