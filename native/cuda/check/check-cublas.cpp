// Compares the declarations of addon/cublas.hpp with NVIDIA's headers when it is compiled, and with the library when it
// runs. It needs no GPU: descriptors are made, and each attribute that the addon sets is set and read back. Products
// need a GPU. scripts/cuda/check-cublas.ts compiles and runs it.
//
//     check-cublas LIBRARY     prints a line for each check; exits 1 if one is wrong
// The headers name these types, and need only their names.
#define __CUDA_FP16_H__
#define __CUDA_BF16_H__
struct __half;
struct __nv_bfloat16;
#include <cublasLt.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <type_traits>

#include "../addon/cublas.hpp"

namespace ours = cuda::cublas;

// ── against the headers ────────────────────────────────────────────────────────────────────────────────────────────

#define SAME(our, their) static_assert(static_cast<long>(ours::our) == static_cast<long>(their), #their)
SAME(kSuccess, CUBLAS_STATUS_SUCCESS);
SAME(kSumsInFp32, CUBLAS_COMPUTE_32F);
SAME(kFp32, CUDA_R_32F);
SAME(kBf16, CUDA_R_16BF);
SAME(kTransposeA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(kTransposeB, CUBLASLT_MATMUL_DESC_TRANSB);
SAME(kEpilogue, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(kBiasPointer, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(kTransposed, CUBLAS_OP_T);
SAME(kAddBias, CUBLASLT_EPILOGUE_BIAS);
SAME(kMaxWorkspace, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(kReductionSchemes, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(kAlignmentA, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(kAlignmentB, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME(kAlignmentC, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME(kAlignmentD, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
SAME(kReduceInFp32, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
SAME(kOutOfPlace, CUBLASLT_ALGO_CAP_OUT_OF_PLACE_RESULT_SUPPORT);
#undef SAME

static_assert(sizeof(ours::Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(ours::HeuristicResult) == sizeof(cublasLtMatmulHeuristicResult_t));
#define PLACE(our, their) \
  static_assert(offsetof(ours::HeuristicResult, our) == offsetof(cublasLtMatmulHeuristicResult_t, their))
PLACE(algorithm, algo);
PLACE(workspace, workspaceSize);
PLACE(state, state);
PLACE(waves, wavesCount);
#undef PLACE

/// Whether two parameters are passed alike: both by address, or both as whole numbers of one size.
template <class Our, class Their>
constexpr bool isPassedAlike() {
  if (std::is_pointer_v<Our> || std::is_pointer_v<Their>) return std::is_pointer_v<Our> == std::is_pointer_v<Their>;
  return sizeof(Our) == sizeof(Their);
}
template <class Our, class Their>
struct IsCalledAlike : std::false_type {};
template <class Our, class... Ours, class Their, class... Theirs>
struct IsCalledAlike<Our (*)(Ours...), Their (*)(Theirs...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(Ours) == sizeof...(Theirs))
      return isPassedAlike<Our, Their>() && (... && isPassedAlike<Ours, Theirs>());
    else
      return false;
  }();
};
#define CALLED(member, name, Result, parameters) CALLED_AS(member, name)
#define CALLED_AS(member, name) \
  static_assert(IsCalledAlike<decltype(ours::Library::member), decltype(&THEIRS_##member)>::value, name);
#define THEIRS_create cublasLtCreate
#define THEIRS_destroy cublasLtDestroy
#define THEIRS_version cublasLtGetVersion
#define THEIRS_runtimeVersion cublasLtGetCudartVersion
#define THEIRS_statusName cublasLtGetStatusName
#define THEIRS_createOperation cublasLtMatmulDescCreate
#define THEIRS_destroyOperation cublasLtMatmulDescDestroy
#define THEIRS_setOperation cublasLtMatmulDescSetAttribute
#define THEIRS_createLayout cublasLtMatrixLayoutCreate
#define THEIRS_destroyLayout cublasLtMatrixLayoutDestroy
#define THEIRS_createPreference cublasLtMatmulPreferenceCreate
#define THEIRS_destroyPreference cublasLtMatmulPreferenceDestroy
#define THEIRS_setPreference cublasLtMatmulPreferenceSetAttribute
#define THEIRS_heuristic cublasLtMatmulAlgoGetHeuristic
#define THEIRS_capability cublasLtMatmulAlgoCapGetAttribute
#define THEIRS_multiply cublasLtMatmul
CUBLAS_FUNCTIONS(CALLED)

// ── against the library ────────────────────────────────────────────────────────────────────────────────────────────

namespace {

bool failed = false;
void say(bool right, const char* what, long figure = 0) {
  failed |= !right;
  printf("%s %s (%ld)\n", right ? "ok   " : "WRONG", what, figure);
}

/// Sets an attribute and reads it back. The size must be the library's own: one byte more is refused.
template <class Set, class Get, class Value>
void roundTrip(Set set, Get get, void* descriptor, int attribute, Value value, const char* what) {
  say(set(descriptor, attribute, &value, sizeof value) == 0, what, attribute);
  unsigned char longer[sizeof value + 1] = {};
  say(set(descriptor, attribute, longer, sizeof longer) != 0, "  a longer value is refused");
  set(descriptor, attribute, &value, sizeof value);
  Value back = {};
  size_t size = 0;
  const int status = get(descriptor, attribute, &back, sizeof back, &size);
  say(status == 0 && size == sizeof back && !memcmp(&back, &value, sizeof value), "  is read back", status);
}

}  // namespace

int main(int, char** arguments) {
  void* file = dlopen(arguments[1], RTLD_LAZY);
  if (!file) return printf("WRONG %s\n", dlerror()), 1;
  ours::Library lib;
#define FIND(member, name, Result, parameters)                            \
  lib.member = reinterpret_cast<decltype(lib.member)>(dlsym(file, name)); \
  say(lib.member != nullptr, name);
  CUBLAS_FUNCTIONS(FIND)
#undef FIND
  if (failed) return 1;
  using Getter = int (*)(void*, int, void*, size_t, size_t*);
  const auto getter = [&](const char* name) { return reinterpret_cast<Getter>(dlsym(file, name)); };

  say(lib.version() > 0, "version", static_cast<long>(lib.version()));
  say(lib.version() / 10000 == lib.runtimeVersion() / 1000, "CUDA version", static_cast<long>(lib.runtimeVersion()));
  say(!strcmp(lib.statusName(15), "CUBLAS_STATUS_NOT_SUPPORTED"), "status names");

  void *operation = nullptr, *layout = nullptr, *preference = nullptr;
  say(lib.createOperation(&operation, ours::kSumsInFp32, ours::kFp32) == 0 && operation, "a product is described");
  const auto ofOperation = getter("cublasLtMatmulDescGetAttribute");
  roundTrip(lib.setOperation, ofOperation, operation, ours::kTransposeA, ours::kTransposed, "transposed A");
  roundTrip(lib.setOperation, ofOperation, operation, ours::kTransposeB, ours::kTransposed, "transposed B");
  roundTrip(lib.setOperation, ofOperation, operation, ours::kEpilogue, ours::kAddBias, "epilogue");
  roundTrip(lib.setOperation, ofOperation, operation, ours::kBiasPointer, static_cast<const void*>(file), "bias");
  say(lib.createLayout(&layout, ours::kBf16, 30, 20, 32) == 0 && layout, "a layout is described");
  const auto ofLayout = getter("cublasLtMatrixLayoutGetAttribute");
  uint32_t type = 0;
  uint64_t rows = 0;
  int64_t stride = 0;
  size_t size = 0;
  say(ofLayout(layout, CUBLASLT_MATRIX_LAYOUT_TYPE, &type, sizeof type, &size) == 0 && type == ours::kBf16, "  type");
  say(ofLayout(layout, CUBLASLT_MATRIX_LAYOUT_ROWS, &rows, sizeof rows, &size) == 0 && rows == 30, "  rows");
  say(ofLayout(layout, CUBLASLT_MATRIX_LAYOUT_LD, &stride, sizeof stride, &size) == 0 && stride == 32, "  stride");
  say(lib.createPreference(&preference) == 0 && preference, "a preference is described");
  const auto ofPreference = getter("cublasLtMatmulPreferenceGetAttribute");
  roundTrip(lib.setPreference, ofPreference, preference, ours::kMaxWorkspace, uint64_t{32} << 20, "workspace");
  roundTrip(lib.setPreference, ofPreference, preference, ours::kReductionSchemes, ours::kReduceInFp32, "reduction");
  for (const int side : {ours::kAlignmentA, ours::kAlignmentB, ours::kAlignmentC, ours::kAlignmentD})
    roundTrip(lib.setPreference, ofPreference, preference, side, uint32_t{16}, "alignment");
  say(lib.destroyOperation(operation) == 0 && lib.destroyLayout(layout) == 0 && lib.destroyPreference(preference) == 0,
      "descriptors are freed");

  void* handle = nullptr;
  const int status = lib.create(&handle);
  printf("info  the library %s here (%s)\n", status ? "cannot be started" : "starts", lib.statusName(status));
  return failed ? 1 : 0;
}
