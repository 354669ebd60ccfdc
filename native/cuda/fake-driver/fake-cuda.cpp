// A libcuda for tests: the functions of the driver API that the addon calls, with the kernels of kernels.cu run on the
// CPU by the shim. Device memory is the heap's; copies that leave an allocation are refused, as the driver refuses
// them.
//
// Environment variables, read when a call needs them:
//   FAKE_CUDA_SEED      order of threads: see shim.hpp
//   FAKE_CUDA_MEMORY    bytes of device memory (default 1 GiB)
//   FAKE_CUDA_COMPUTE   compute capability, 80 by default
//   FAKE_CUDA_LOST      the number of plans after which the GPU is lost
#include <map>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

#include "../kernels/kernels.cu"

namespace {

enum Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kNotFound = 500,
  kLost = 719
};

size_t numberOf(const char* variable, size_t otherwise) {
  const char* text = getenv(variable);
  return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

// ── kernels ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Calls a kernel with arguments as cuLaunchKernel gets them: an array of pointers to them.
template <auto kernel>
struct Call;
template <class... Arguments, void (*kernel)(Arguments...)>
struct Call<kernel> {
  static constexpr size_t count = sizeof...(Arguments);
  template <size_t... i>
  static void with(void** arguments, std::index_sequence<i...>) {
    kernel(*static_cast<std::decay_t<Arguments>*>(arguments[i])...);
  }
  static void run(void** arguments) { with(arguments, std::index_sequence_for<Arguments...>()); }
};

struct Kernel {
  const char* name;
  void (*run)(void**);
  size_t arguments;
  size_t sharedLimit;
};
#define KERNEL(name) {#name, Call<name>::run, Call<name>::count, 48 << 10}
Kernel kernels[] = {KERNEL(productNN),
                    KERNEL(productNT),
                    KERNEL(productTN),
                    KERNEL(productNNBf16),
                    KERNEL(productNTBf16),
                    KERNEL(productTNBf16),
                    KERNEL(sumPartials),
                    KERNEL(layerNorm),
                    KERNEL(layerNormBackward),
                    KERNEL(layerNormGradients),
                    KERNEL(columnSums),
                    KERNEL(crossEntropy),
                    KERNEL(attention),
                    KERNEL(attentionDecode),
                    KERNEL(attentionDelta),
                    KERNEL(attentionBackwardKeys),
                    KERNEL(attentionBackwardQueries),
                    KERNEL(attentionBf16),
                    KERNEL(attentionBackwardKeysBf16),
                    KERNEL(attentionBackwardQueriesBf16),
                    KERNEL(embed),
                    KERNEL(embedSegments),
                    KERNEL(embedTokens),
                    KERNEL(dropout),
                    KERNEL(rotate),
                    KERNEL(roundRows),
                    KERNEL(fill),
                    KERNEL(add),
                    KERNEL(copy),
                    KERNEL(lstmForward),
                    KERNEL(lstmForwardBf16),
                    KERNEL(lstmBackward),
                    KERNEL(lstmBackwardBf16),
                    KERNEL(squares),
                    KERNEL(finishStep),
                    KERNEL(adamw),
                    KERNEL(roundWeights)};
#undef KERNEL

struct Launch {
  const Kernel* kernel;
  shim::Dimensions grid;
  unsigned threads, shared;
  std::vector<u64> arguments;
};
void run(Launch& l) {
  std::vector<void*> pointers;
  for (u64& argument : l.arguments) pointers.push_back(&argument);
  shim::launch(l.grid, l.threads, l.shared, [&] { l.kernel->run(pointers.data()); });
}

// ── state ──────────────────────────────────────────────────────────────────────────────────────────────────────────

std::recursive_mutex mutex;  // calls come from several threads
std::map<uintptr_t, std::pair<size_t, std::unique_ptr<unsigned char[]>>> allocations;
size_t allocated = 0, plansRun = 0;
using Graph = std::vector<Launch>;
std::unique_ptr<Graph> capturing;

bool isLost() { return plansRun > numberOf("FAKE_CUDA_LOST", SIZE_MAX - 1); }
bool isInside(u64 pointer, size_t size) {
  auto it = allocations.upper_bound(pointer);
  return it != allocations.begin() && (--it, pointer + size <= it->first + it->second.first);
}
template <class F>
int call(F f) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  return isLost() ? kLost : f();
}

}  // namespace

extern "C" {

int cuInit(unsigned) {
  shim::setSeed(static_cast<uint32_t>(numberOf("FAKE_CUDA_SEED", 0)));
  return kSuccess;
}
int cuGetErrorName(int code, const char** name) {
  *name = code == kOutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == kLost      ? "CUDA_ERROR_LAUNCH_FAILED"
          : code == kNotFound  ? "CUDA_ERROR_NOT_FOUND"
                               : "CUDA_ERROR_INVALID_VALUE";
  return kSuccess;
}
int cuGetErrorString(int code, const char** text) {
  *text = code == kOutOfMemory ? "out of memory"
          : code == kLost      ? "unspecified launch failure"
          : code == kNotFound  ? "named symbol not found"
                               : "invalid argument";
  return kSuccess;
}
int cuDriverGetVersion(int* version) { return *version = 12040, kSuccess; }
int cuDeviceGetCount(int* count) {
  const char* visible = getenv("CUDA_VISIBLE_DEVICES");
  return *count = visible && !*visible ? 0 : 1, kSuccess;
}
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? kSuccess : kInvalidDevice; }
int cuDeviceGetName(char* name, int size, int) { return snprintf(name, size, "CPU behind a fake driver"), kSuccess; }
int cuDeviceGetUuid(unsigned char* uuid, int) { return memset(uuid, 0xfa, 16), kSuccess; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
  const int compute = static_cast<int>(numberOf("FAKE_CUDA_COMPUTE", 80));
  *value = attribute == 75   ? compute / 10
           : attribute == 76 ? compute % 10
           : attribute == 16 ? 4
           : attribute == 97 ? 166912
                             : 0;
  return kSuccess;
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &mutex, kSuccess; }
int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
int cuCtxSetCurrent(void*) { return kSuccess; }
int cuMemGetInfo_v2(size_t* free, size_t* total) {
  *total = numberOf("FAKE_CUDA_MEMORY", size_t{1} << 30);
  *free = *total > allocated ? *total - allocated : 0;
  return kSuccess;
}
int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  *module = &kernels;
  return strstr(static_cast<const char*>(image), ".version") ? kSuccess : kInvalidImage;
}
int cuModuleUnload(void*) { return kSuccess; }
int cuModuleGetFunction(void** function, void*, const char* name) {
  for (Kernel& k : kernels)
    if (!strcmp(k.name, name)) return *function = &k, kSuccess;
  return kNotFound;
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (attribute != 8 || value > 166912) return kInvalidValue;
  static_cast<Kernel*>(function)->sharedLimit = value;
  return kSuccess;
}
/// As if shared memory and threads alone limited it: a multiprocessor has 164 KiB, and each block takes 1 KiB more.
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int threads, size_t shared) {
  if (threads < 1 || threads > 1024 || shared > static_cast<Kernel*>(function)->sharedLimit) return kInvalidValue;
  return *blocks = static_cast<int>(std::min<size_t>(2048 / threads, (164 << 10) / (shared + 1024))), kSuccess;
}
int cuMemAlloc_v2(u64* pointer, size_t size) {
  return call([&] {
    if (size == 0) return kInvalidValue;
    if (allocated + size > numberOf("FAKE_CUDA_MEMORY", size_t{1} << 30)) return kOutOfMemory;
    auto memory = std::make_unique<unsigned char[]>(size + 256);
    // The driver aligns to 256 bytes. New memory is NaN.
    const uintptr_t at = (reinterpret_cast<uintptr_t>(memory.get()) + 255) / 256 * 256;
    memset(reinterpret_cast<void*>(at), 0xff, size);
    *pointer = at;
    allocations[at] = {size, std::move(memory)};
    allocated += size;
    return kSuccess;
  });
}
int cuMemFree_v2(u64 pointer) {
  return call([&] {
    const auto it = allocations.find(pointer);
    if (it == allocations.end()) return kInvalidValue;
    allocated -= it->second.first;
    allocations.erase(it);
    return kSuccess;
  });
}
int cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t size, void*) {
  return call([&] {
    return !isInside(to, size) ? kInvalidValue : (memcpy(reinterpret_cast<void*>(to), from, size), kSuccess);
  });
}
int cuMemcpyDtoHAsync_v2(void* to, u64 from, size_t size, void*) {
  return call([&] {
    return !isInside(from, size) ? kInvalidValue : (memcpy(to, reinterpret_cast<void*>(from), size), kSuccess);
  });
}
int cuMemsetD8Async(u64 to, unsigned char value, size_t size, void*) {
  return call([&] {
    return !isInside(to, size) ? kInvalidValue : (memset(reinterpret_cast<void*>(to), value, size), kSuccess);
  });
}
int cuStreamCreate(void** stream, unsigned) { return *stream = &allocations, kSuccess; }
int cuStreamDestroy_v2(void*) { return kSuccess; }
int cuStreamSynchronize(void*) {
  return call([] { return kSuccess; });
}
int cuStreamBeginCapture_v2(void*, int) {
  return call([] { return capturing ? kInvalidValue : (capturing = std::make_unique<Graph>(), kSuccess); });
}
int cuStreamEndCapture(void*, void** graph) { return *graph = capturing.release(), *graph ? kSuccess : kInvalidValue; }
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return *executable = new Graph(*static_cast<Graph*>(graph)), kSuccess;
}
int cuGraphLaunch(void* executable, void*) {
  return call([&] {
    plansRun++;
    if (isLost()) return kLost;
    for (Launch& l : *static_cast<Graph*>(executable)) run(l);
    return kSuccess;
  });
}
int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), kSuccess; }
int cuGraphExecDestroy(void* executable) { return delete static_cast<Graph*>(executable), kSuccess; }
int cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned shared, void*, void** parameters, void**) {
  return call([&] {
    const Kernel& kernel = *static_cast<Kernel*>(function);
    // The limits of CUDA.
    if (!gridX || !gridY || !gridZ || gridX > 0x7fffffff || gridY > 65535 || gridZ > 65535) return kInvalidValue;
    if (blockX == 0 || blockX > 1024 || blockY != 1 || blockZ != 1 || shared > kernel.sharedLimit) return kInvalidValue;
    Launch l{&kernel, {gridX, gridY, gridZ}, blockX, shared, {}};
    for (size_t i = 0; i < kernel.arguments; i++) {
      u64 slot;
      memcpy(&slot, parameters[i], sizeof slot);  // the addon's slots have 8 bytes
      l.arguments.push_back(slot);
    }
    if (capturing)
      capturing->push_back(std::move(l));
    else
      run(l);
    return kSuccess;
  });
}

}  // extern "C"
