// A cuBLASLt for tests: the functions that the addon calls. It computes on the CPU what the descriptors say. It refuses
// the mistakes that the real library refuses, and more:
//
// - making descriptors, or the first launch of an algorithm, while a plan is recorded
// - memory that is not allocated, and a workspace that overlaps a matrix
// - other alignments than the algorithm was chosen for
//
// Its version follows its file name: libcublasLt.so.12 is 12.8.4, which comes with CUDA 12.8. Products are summed in
// doubles, so they have other bits than the kernels' products. Sums over more than 32 numbers are split in two parts,
// which pass through the workspace.
//
// Environment variables, read when a call needs them:
//   FAKE_CUBLAS_NONE        if set, there is no algorithm for any product
//   FAKE_CUBLAS_BROKEN      if set, the library cannot be started
//   FAKE_CUBLAS_IN_PLACE    if set, algorithms add only to the matrix that they write
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "driver-hooks.hpp"

namespace {

enum Status { kSuccess = 0, kNotInitialized = 1, kInvalidValue = 7, kInternalError = 14, kNotSupported = 15 };
constexpr int kFp32 = 0, kBf16 = 14, kSumsInFp32 = 68;

struct Operation {
  int32_t transposeA = 0, transposeB = 0;
  uint32_t epilogue = 1;
  const float* bias = nullptr;
};
struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t stride;
  size_t size() const { return type == kBf16 ? 2 : 4; }
  /// Bytes from its first to its last number.
  size_t extent() const { return ((columns - 1) * stride + rows) * size(); }
};
struct Preference {
  uint64_t workspace = 0;
  uint32_t schemes = 7, alignment[4] = {256, 256, 256, 256};  // alignments of A, B, C and D
};
/// The properties for which an algorithm was chosen. They are stored in its 64 bytes.
struct Choice {
  uint32_t mark, shape, workspace, parts, schemes;
  uint16_t alignment[4], biasAlignment;
};
static_assert(sizeof(Choice) <= 64);
constexpr uint32_t kMark = 0xc0b1a5;

struct Result {
  uint64_t algorithm[8];
  size_t workspace;
  Status state;
  float waves;
  int reserved[4];
};

std::map<void*, Operation> operations;
std::map<void*, Layout> layouts;
std::map<void*, Preference> preferences;
std::set<void*> handles;
std::set<uint32_t> loaded;  // shapes of products that were made

/// Functions of the fake driver, which is loaded before this.
decltype(&fakeEnqueue) enqueue;
decltype(&fakeIsCapturing) isCapturing;
decltype(&fakeIsInside) isInside;

template <class T>
int add(std::map<void*, T>& all, void** handle, T object) {
  if (isCapturing && isCapturing()) return kInternalError;
  *handle = malloc(1);
  all[*handle] = object;
  return kSuccess;
}
template <class T>
int removeFrom(std::map<void*, T>& all, void* handle) {
  if (!all.erase(handle)) return kInvalidValue;
  free(handle);
  return kSuccess;
}
template <class T>
int assign(T& to, const void* value, size_t size) {
  if (!value || size != sizeof to) return kInvalidValue;
  memcpy(&to, value, size);
  return kSuccess;
}

/// A digest of the operation and the layouts, on which an algorithm depends.
uint32_t shapeOf(const Operation& o, const Layout* const (&all)[4]) {
  uint64_t hash = o.transposeA * 2 + o.transposeB + o.epilogue * 4;
  for (const Layout* l : all)
    for (const uint64_t n : {uint64_t(l->type), l->rows, l->columns, uint64_t(l->stride)})
      hash = (hash ^ n) * 0x9e3779b97f4a7c15u + (hash >> 29);
  return static_cast<uint32_t>(hash >> 32);
}

float fromBf16(uint16_t x) {
  const uint32_t bits = uint32_t{x} << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
uint16_t toBf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if (x != x) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float read(const void* from, const Layout& l, uint64_t row, uint64_t column) {
  const size_t at = column * l.stride + row;
  return l.type == kBf16 ? fromBf16(static_cast<const uint16_t*>(from)[at]) : static_cast<const float*>(from)[at];
}

/// Whether op(A)·op(B) can be added to C and stored in D.
bool fit(const Operation& o, const Layout& A, const Layout& B, const Layout& C, const Layout& D) {
  const uint64_t M = o.transposeA ? A.columns : A.rows, K = o.transposeA ? A.rows : A.columns;
  const uint64_t N = o.transposeB ? B.rows : B.columns, depth = o.transposeB ? B.columns : B.rows;
  return K == depth && D.rows == M && D.columns == N && C.rows == M && C.columns == N;
}
/// Whether the library has products of these types. A bias has the type of D; our biases are fp32.
bool areSupported(const Operation& o, const Layout& A, const Layout& B, const Layout& C, const Layout& D) {
  return A.type == kBf16 && B.type == kBf16 && C.type == D.type && (o.epilogue == 1 || D.type == kFp32);
}

struct Work {
  Operation o;
  Layout A, B, C, D;
  const void *a, *b, *c;
  void* d;
  float beta;
  float* workspace;
  uint32_t parts;

  void operator()() const {
    const uint64_t M = D.rows, N = D.columns, K = o.transposeA ? A.rows : A.columns;
    const auto part = [&](uint64_t row, uint64_t column, uint64_t begin, uint64_t end) {
      double sum = 0;
      for (uint64_t k = begin; k < end; k++)
        sum += static_cast<double>(o.transposeA ? read(a, A, k, row) : read(a, A, row, k)) *
               (o.transposeB ? read(b, B, column, k) : read(b, B, k, column));
      return sum;
    };
    const uint64_t depth = (K + parts - 1) / parts;
    if (parts > 1)
      for (uint32_t p = 0; p < parts; p++)
        for (uint64_t i = 0; i < M * N; i++)
          workspace[p * M * N + i] =
              static_cast<float>(part(i % M, i / M, p * depth, p * depth + depth < K ? p * depth + depth : K));
    for (uint64_t column = 0; column < N; column++)
      for (uint64_t row = 0; row < M; row++) {
        double sum = 0;
        if (parts == 1) sum = part(row, column, 0, K);
        for (uint32_t p = 0; parts > 1 && p < parts; p++) sum += workspace[(p * N + column) * M + row];
        if (beta != 0) sum += beta * read(c, C, row, column);
        if (o.epilogue == 4) sum += o.bias[row];
        const size_t at = column * D.stride + row;
        if (D.type == kBf16)
          static_cast<uint16_t*>(d)[at] = toBf16(static_cast<float>(sum));
        else
          static_cast<float*>(d)[at] = static_cast<float>(sum);
      }
  }
};

}  // namespace

extern "C" {

size_t cublasLtGetVersion() {
  Dl_info info;
  const char* suffix = dladdr(reinterpret_cast<void*>(cublasLtGetVersion), &info) ? strrchr(info.dli_fname, '.') : "";
  return !strcmp(suffix, ".13") ? 130002 : !strcmp(suffix, ".11") ? 111103 : 120804;
}
size_t cublasLtGetCudartVersion() {
  const size_t version = cublasLtGetVersion();
  return version / 10000 * 1000 + version % 10000 / 100 * 10;
}
const char* cublasLtGetStatusName(int status) {
  return status == kNotInitialized  ? "CUBLAS_STATUS_NOT_INITIALIZED"
         : status == kInvalidValue  ? "CUBLAS_STATUS_INVALID_VALUE"
         : status == kInternalError ? "CUBLAS_STATUS_INTERNAL_ERROR"
         : status == kNotSupported  ? "CUBLAS_STATUS_NOT_SUPPORTED"
                                    : "CUBLAS_STATUS_SUCCESS";
}
int cublasLtCreate(void** handle) {
  const char* path = getenv("CUDA_DRIVER_LIBRARY");
  void* driver = path ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
  if (!driver || getenv("FAKE_CUBLAS_BROKEN")) return kNotInitialized;
  enqueue = reinterpret_cast<decltype(enqueue)>(dlsym(driver, "fakeEnqueue"));
  isCapturing = reinterpret_cast<decltype(isCapturing)>(dlsym(driver, "fakeIsCapturing"));
  isInside = reinterpret_cast<decltype(isInside)>(dlsym(driver, "fakeIsInside"));
  return handles.insert(*handle = malloc(1)), kSuccess;
}
int cublasLtDestroy(void* handle) {
  if (!handles.erase(handle)) return kNotInitialized;
  return free(handle), kSuccess;
}

int cublasLtMatmulDescCreate(void** operation, int computeType, int scaleType) {
  if (computeType != kSumsInFp32 || scaleType != kFp32) return kInvalidValue;
  return add(operations, operation, Operation{});
}
int cublasLtMatmulDescDestroy(void* operation) { return removeFrom(operations, operation); }
int cublasLtMatmulDescSetAttribute(void* operation, int attribute, const void* value, size_t size) {
  if (!operations.count(operation) || (isCapturing && isCapturing())) return kInvalidValue;
  Operation& o = operations[operation];
  switch (attribute) {
    case 3:
      return assign(o.transposeA, value, size);
    case 4:
      return assign(o.transposeB, value, size);
    case 7:
      return assign(o.epilogue, value, size);
    case 8:
      return assign(o.bias, value, size);
    default:
      return kInvalidValue;
  }
}
int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  return add(layouts, layout, Layout{type, rows, columns, stride});
}
int cublasLtMatrixLayoutDestroy(void* layout) { return removeFrom(layouts, layout); }
int cublasLtMatmulPreferenceCreate(void** preference) { return add(preferences, preference, Preference{}); }
int cublasLtMatmulPreferenceDestroy(void* preference) { return removeFrom(preferences, preference); }
int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value, size_t size) {
  if (!preferences.count(preference)) return kInvalidValue;
  Preference& p = preferences[preference];
  if (attribute == 1) return assign(p.workspace, value, size);
  if (attribute == 3) return assign(p.schemes, value, size);
  return attribute >= 5 && attribute <= 8 ? assign(p.alignment[attribute - 5], value, size) : kInvalidValue;
}

int cublasLtMatmulAlgoGetHeuristic(void* handle, void* operation, void* layoutA, void* layoutB, void* layoutC,
                                   void* layoutD, void* preference, int wanted, Result* results, int* found) {
  *found = 0;
  if (!handles.count(handle)) return kNotInitialized;
  if (isCapturing() || wanted < 1 || !operations.count(operation) || !preferences.count(preference))
    return kInvalidValue;
  for (void* layout : {layoutA, layoutB, layoutC, layoutD})
    if (!layouts.count(layout)) return kInvalidValue;
  const Operation& o = operations[operation];
  const Preference& p = preferences[preference];
  const Layout &A = layouts[layoutA], &B = layouts[layoutB], &C = layouts[layoutC], &D = layouts[layoutD];
  if (!fit(o, A, B, C, D)) return kInvalidValue;
  for (const Layout* l : {&A, &B, &C, &D})
    if (l->stride < static_cast<int64_t>(l->rows)) return kInvalidValue;
  if (getenv("FAKE_CUBLAS_NONE") || !areSupported(o, A, B, C, D)) return kNotSupported;
  // Tensor cores need rows of bf16 that are aligned to 16 bytes.
  for (const Layout* l : {&A, &B, &D})
    if (l->type == kBf16 && l->stride % 8 != 0) return kNotSupported;
  if (p.alignment[0] < 16 || p.alignment[1] < 16) return kNotSupported;
  const uint64_t K = o.transposeA ? A.rows : A.columns, workspace = 2 * 4 * D.rows * D.columns;
  const bool isSplit = K > 32 && workspace <= p.workspace;
  Choice choice = {
      kMark, shapeOf(o, {&A, &B, &C, &D}), isSplit ? static_cast<uint32_t>(workspace) : 0, isSplit ? 2u : 1u, p.schemes,
      {}};
  for (int i = 0; i < 4; i++) choice.alignment[i] = static_cast<uint16_t>(p.alignment[i]);
  const auto bias = reinterpret_cast<uintptr_t>(o.bias);
  choice.biasAlignment = static_cast<uint16_t>(bias ? std::min<uintptr_t>(bias & -bias, 256) : 1);
  results[0] = {};
  memcpy(results[0].algorithm, &choice, sizeof choice);
  results[0].workspace = choice.workspace;
  *found = 1;
  return kSuccess;
}
int cublasLtMatmulAlgoCapGetAttribute(const Choice* algorithm, int attribute, void* value, size_t size,
                                      size_t* written) {
  if (algorithm->mark != kMark || attribute != 4 || size != sizeof(int32_t)) return kInvalidValue;
  const int32_t outOfPlace = !getenv("FAKE_CUBLAS_IN_PLACE");
  memcpy(value, &outOfPlace, *written = size);
  return kSuccess;
}

int cublasLtMatmul(void* handle, void* operation, const float* alpha, const void* a, void* layoutA, const void* b,
                   void* layoutB, const float* beta, const void* c, void* layoutC, void* d, void* layoutD,
                   const Choice* algorithm, void* workspace, size_t workspaceSize, void*) {
  if (!handles.count(handle)) return kNotInitialized;
  if (!operations.count(operation) || *alpha != 1) return kInvalidValue;
  for (void* layout : {layoutA, layoutB, layoutC, layoutD})
    if (!layouts.count(layout)) return kInvalidValue;
  const Operation& o = operations[operation];
  const Layout &A = layouts[layoutA], &B = layouts[layoutB], &C = layouts[layoutC], &D = layouts[layoutD];
  if (algorithm->mark != kMark || algorithm->shape != shapeOf(o, {&A, &B, &C, &D})) return kInvalidValue;
  const auto isValid = [](const void* pointer, size_t size, unsigned alignment) {
    const auto at = reinterpret_cast<uintptr_t>(pointer);
    return at % alignment == 0 && isInside(at, size);
  };
  const uint16_t (&alignment)[4] = algorithm->alignment;
  if (!isValid(a, A.extent(), alignment[0]) || !isValid(b, B.extent(), alignment[1]) ||
      !isValid(c, C.extent(), alignment[2]) || !isValid(d, D.extent(), alignment[3]))
    return kInvalidValue;
  if (o.epilogue == 4 && !isValid(o.bias, 4 * D.rows, algorithm->biasAlignment)) return kInvalidValue;
  if (algorithm->workspace > workspaceSize || (workspaceSize > 0 && !isValid(workspace, workspaceSize, 256)))
    return kInvalidValue;
  const auto isApart = [&](const void* pointer, size_t size) {
    const auto *at = static_cast<const char*>(pointer), *begin = static_cast<const char*>(workspace);
    return at + size <= begin || at >= begin + workspaceSize;
  };
  if (!isApart(a, A.extent()) || !isApart(b, B.extent()) || !isApart(c, C.extent()) || !isApart(d, D.extent()))
    return kInvalidValue;
  if (*beta != 0 && c != d && getenv("FAKE_CUBLAS_IN_PLACE")) return kNotSupported;
  if (isCapturing() && !loaded.count(algorithm->shape)) return kInternalError;
  loaded.insert(algorithm->shape);
  // The scheme INPLACE, which adds up parts in the order in which they end.
  if (algorithm->schemes & 1) return kNotSupported;
  return enqueue(Work{o, A, B, C, D, a, b, c, d, *beta, static_cast<float*>(workspace), algorithm->parts})
             ? kInternalError
             : kSuccess;
}

}  // extern "C"
