// A libcuda for tests: the functions of the driver API that the addon calls, with the kernels of kernels.cu run on the
// CPU by the shim. Device memory is the heap's; copies that leave an allocation are refused, as the driver refuses
// them. Plans run after their launch, on a thread (stream.hpp). Copies from pinned memory read it when they are done.
//
// Environment variables, read when a call needs them:
//   FAKE_CUDA_SEED      order of threads: see shim.hpp
//   FAKE_CUDA_NAME      the name of the GPU
//   FAKE_CUDA_DRIVER    the CUDA version of the driver, 12040 by default; one older than the PTX does not compile it
//   FAKE_CUDA_MEMORY    bytes of device memory (default 1 GiB)
//   FAKE_CUDA_USED      bytes of it that other programs use (default 0)
//   FAKE_CUDA_BUSY      if set, another program uses the GPU exclusively
//   FAKE_CUDA_COMPUTE   compute capability, 80 by default
//   FAKE_CUDA_MULTIPROCESSORS    4 by default
//   FAKE_CUDA_LOST      the number of plans after which the GPU is lost
//   FAKE_CUDA_HOLD, FAKE_CUDA_PLANS: see stream.hpp
#include <atomic>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

#include "../kernels/kernels.cu"
#include "driver-hooks.hpp"
#include "stream.hpp"

namespace {

enum Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kUnavailable = 46,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kUnsupportedPtx = 222,
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
const Kernel kernels[] = {KERNEL(productNN),
                          KERNEL(productNT),
                          KERNEL(productTN),
                          KERNEL(productNNSmall),
                          KERNEL(productNTSmall),
                          KERNEL(productTNSmall),
                          KERNEL(productNNTf32),
                          KERNEL(productNTTf32),
                          KERNEL(productTNTf32),
                          KERNEL(productNNSmallTf32),
                          KERNEL(productNTSmallTf32),
                          KERNEL(productTNSmallTf32),
                          KERNEL(productNNBf16),
                          KERNEL(productNTBf16),
                          KERNEL(productTNBf16),
                          KERNEL(productNNSmallBf16),
                          KERNEL(productNTSmallBf16),
                          KERNEL(productTNSmallBf16),
                          KERNEL(finishProduct),
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
                          KERNEL(lstmForwardAllBf16),
                          KERNEL(lstmBackwardAllBf16),
                          KERNEL(squares),
                          KERNEL(finishStep),
                          KERNEL(adamw),
                          KERNEL(roundWeights)};
#undef KERNEL
/// Kernels whose blocks wait for each other.
bool isTogether(const Kernel& kernel) { return strncmp(kernel.name, "lstm", 4) == 0 && strstr(kernel.name, "All"); }

struct Launch {
  const Kernel* kernel;
  shim::Dimensions grid;
  unsigned threads, shared;
  std::vector<u64> arguments;
};
void run(Launch& l) {
  std::vector<void*> pointers;
  for (u64& argument : l.arguments) pointers.push_back(&argument);
  shim::launch(l.grid, l.threads, l.shared, [&] { l.kernel->run(pointers.data()); }, isTogether(*l.kernel));
}

// ── state ──────────────────────────────────────────────────────────────────────────────────────────────────────────

std::recursive_mutex mutex;  // calls come from several threads
std::map<uintptr_t, std::pair<size_t, std::unique_ptr<unsigned char[]>>> allocations;
std::map<uintptr_t, std::pair<size_t, std::unique_ptr<unsigned char[]>>> pinned;
size_t allocated = 0;
std::atomic<size_t> plansRun{0};
using Graph = std::vector<std::function<void()>>;
std::unique_ptr<Graph> capturing;
fake::Stream stream;  // runs all streams; the last member of the state, so that it is destroyed first

bool isLost() { return plansRun > numberOf("FAKE_CUDA_LOST", SIZE_MAX - 1); }
bool isWithin(const decltype(allocations)& all, u64 pointer, size_t size) {
  auto it = all.upper_bound(pointer);
  return it != all.begin() && (--it, pointer + size <= it->first + it->second.first);
}
bool isInside(u64 pointer, size_t size) { return isWithin(allocations, pointer, size); }
bool isPinned(const void* pointer, size_t size) { return isWithin(pinned, reinterpret_cast<uintptr_t>(pointer), size); }
/// New memory, aligned to 256 bytes as the driver aligns it, full of NaN.
u64 allocateIn(decltype(allocations)& all, size_t size) {
  auto memory = std::make_unique<unsigned char[]>(size + 256);
  const uintptr_t at = (reinterpret_cast<uintptr_t>(memory.get()) + 255) / 256 * 256;
  memset(reinterpret_cast<void*>(at), 0xff, size);
  all[at] = {size, std::move(memory)};
  return at;
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
  *name = code == kOutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == kLost           ? "CUDA_ERROR_LAUNCH_FAILED"
          : code == kNotFound       ? "CUDA_ERROR_NOT_FOUND"
          : code == kUnavailable    ? "CUDA_ERROR_DEVICE_UNAVAILABLE"
          : code == kUnsupportedPtx ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
                                    : "CUDA_ERROR_INVALID_VALUE";
  return kSuccess;
}
int cuGetErrorString(int code, const char** text) {
  *text = code == kOutOfMemory      ? "out of memory"
          : code == kLost           ? "unspecified launch failure"
          : code == kNotFound       ? "named symbol not found"
          : code == kUnavailable    ? "CUDA-capable device(s) is/are busy or unavailable"
          : code == kUnsupportedPtx ? "the provided PTX was compiled with an unsupported toolchain."
                                    : "invalid argument";
  return kSuccess;
}
int cuDriverGetVersion(int* version) {
  return *version = static_cast<int>(numberOf("FAKE_CUDA_DRIVER", 12040)), kSuccess;
}
int cuDeviceGetCount(int* count) {
  const char* visible = getenv("CUDA_VISIBLE_DEVICES");
  return *count = visible && !*visible ? 0 : 1, kSuccess;
}
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? kSuccess : kInvalidDevice; }
int cuDeviceGetName(char* name, int size, int) {
  const char* text = getenv("FAKE_CUDA_NAME");
  return snprintf(name, size, "%s", text ? text : "CPU behind a fake driver"), kSuccess;
}
int cuDeviceGetUuid(unsigned char* uuid, int) { return memset(uuid, 0xfa, 16), kSuccess; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
  const int compute = static_cast<int>(numberOf("FAKE_CUDA_COMPUTE", 80));
  *value = attribute == 75   ? compute / 10
           : attribute == 76 ? compute % 10
           : attribute == 16 ? static_cast<int>(numberOf("FAKE_CUDA_MULTIPROCESSORS", 4))
           : attribute == 97 ? 166912
                             : 0;
  return kSuccess;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
  return *context = &mutex, getenv("FAKE_CUDA_BUSY") ? kUnavailable : kSuccess;
}
int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
int cuCtxSetCurrent(void*) { return kSuccess; }
int cuMemGetInfo_v2(size_t* free, size_t* total) {
  *total = numberOf("FAKE_CUDA_MEMORY", size_t{1} << 30);
  const size_t used = allocated + numberOf("FAKE_CUDA_USED", 0);
  *free = *total > used ? *total - used : 0;
  return kSuccess;
}
/// Each module has its own kernels: an attribute of a kernel holds in its module only.
int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  if (numberOf("FAKE_CUDA_DRIVER", 12040) < 11010) return kUnsupportedPtx;
  if (!strstr(static_cast<const char*>(image), ".version")) return kInvalidImage;
  return *module = new std::vector<Kernel>(std::begin(kernels), std::end(kernels)), kSuccess;
}
int cuModuleUnload(void* module) { return delete static_cast<std::vector<Kernel>*>(module), kSuccess; }
int cuModuleGetFunction(void** function, void* module, const char* name) {
  for (Kernel& k : *static_cast<std::vector<Kernel>*>(module))
    if (!strcmp(k.name, name)) return *function = &k, kSuccess;
  return kNotFound;
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (attribute != 8 || value > 166912) return kInvalidValue;
  static_cast<Kernel*>(function)->sharedLimit = value;
  return kSuccess;
}
/// Counts only shared memory and threads. A multiprocessor has 164 KiB, and each block takes 1 KiB more than it asks
/// for.
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int threads, size_t shared) {
  if (threads < 1 || threads > 1024 || shared > static_cast<Kernel*>(function)->sharedLimit) return kInvalidValue;
  return *blocks = static_cast<int>(std::min<size_t>(2048 / threads, (164 << 10) / (shared + 1024))), kSuccess;
}
int cuMemAlloc_v2(u64* pointer, size_t size) {
  return call([&] {
    if (size == 0) return kInvalidValue;
    size_t free = 0, total = 0;
    cuMemGetInfo_v2(&free, &total);
    if (size > free) return kOutOfMemory;
    *pointer = allocateIn(allocations, size);
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
int cuMemHostAlloc(void** data, size_t size, unsigned) {
  return call([&] { return *data = reinterpret_cast<void*>(allocateIn(pinned, size)), kSuccess; });
}
int cuMemFreeHost(void* data) {
  return call([&] { return pinned.erase(reinterpret_cast<uintptr_t>(data)) ? kSuccess : kInvalidValue; });
}
/// Memory that is not pinned is copied at once, and then to the device.
int cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t size, void*) {
  return call([&] {
    if (!isInside(to, size)) return kInvalidValue;
    if (isPinned(from, size)) {
      stream.add([=] { memcpy(reinterpret_cast<void*>(to), from, size); });
    } else {
      const auto bytes = static_cast<const unsigned char*>(from);
      stream.add([to, size, copy = std::vector<unsigned char>(bytes, bytes + size)] {
        memcpy(reinterpret_cast<void*>(to), copy.data(), size);
      });
    }
    return kSuccess;
  });
}
/// A copy to memory that is not pinned returns when it is done.
int cuMemcpyDtoHAsync_v2(void* to, u64 from, size_t size, void*) {
  bool waits = false;
  size_t number = 0;
  const int result = call([&] {
    if (!isInside(from, size)) return kInvalidValue;
    waits = !isPinned(to, size);
    number = stream.add([=] { memcpy(to, reinterpret_cast<void*>(from), size); });
    return kSuccess;
  });
  if (waits) stream.waitFor(number);
  return result;
}
int cuMemsetD8Async(u64 to, unsigned char value, size_t size, void*) {
  return call([&] {
    if (!isInside(to, size)) return kInvalidValue;
    stream.add([=] { memset(reinterpret_cast<void*>(to), value, size); });
    return kSuccess;
  });
}
int cuStreamCreate(void** handle, unsigned) { return *handle = &allocations, kSuccess; }
int cuStreamDestroy_v2(void*) { return kSuccess; }
int cuStreamSynchronize(void*) {
  stream.waitFor(stream.added());
  return call([] { return kSuccess; });
}
/// An event is the number of the last work before it.
int cuEventCreate(void** event, unsigned) { return *event = new size_t(0), kSuccess; }
int cuEventRecord(void* event, void*) {
  return call([&] { return *static_cast<size_t*>(event) = stream.added(), kSuccess; });
}
int cuEventSynchronize(void* event) {
  stream.waitFor(*static_cast<size_t*>(event));
  return call([] { return kSuccess; });
}
int cuEventDestroy_v2(void* event) { return delete static_cast<size_t*>(event), kSuccess; }
int cuStreamBeginCapture_v2(void*, int) {
  return call([] { return capturing ? kInvalidValue : (capturing = std::make_unique<Graph>(), kSuccess); });
}
int cuStreamEndCapture(void*, void** graph) { return *graph = capturing.release(), *graph ? kSuccess : kInvalidValue; }
/// An executable may be destroyed while it runs.
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return *executable = new std::shared_ptr<Graph>(new Graph(*static_cast<Graph*>(graph))), kSuccess;
}
int cuGraphLaunch(void* executable, void*) {
  return call([&] {
    const fake::Traced traced = fake::Traced::now();
    traced.note("launched");
    stream.add([traced, graph = *static_cast<std::shared_ptr<Graph>*>(executable)] {
      traced.waitWhileHeld(stream);
      plansRun++;
      if (isLost()) return;
      for (const auto& launch : *graph) launch();
      traced.note("ended");
    });
    return kSuccess;
  });
}
int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), kSuccess; }
int cuGraphExecDestroy(void* executable) { return delete static_cast<std::shared_ptr<Graph>*>(executable), kSuccess; }
int cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned shared, void*, void** parameters, void**) {
  return call([&] {
    const Kernel& kernel = *static_cast<Kernel*>(function);
    // The limits of CUDA.
    if (!gridX || !gridY || !gridZ || gridX > 0x7fffffff || gridY > 65535 || gridZ > 65535) return kInvalidValue;
    if (blockX == 0 || blockX > 1024 || blockY != 1 || blockZ != 1 || shared > kernel.sharedLimit) return kInvalidValue;
    int resident = 0;
    cuOccupancyMaxActiveBlocksPerMultiprocessor(&resident, function, static_cast<int>(blockX), shared);
    const size_t multiprocessors = numberOf("FAKE_CUDA_MULTIPROCESSORS", 4);
    // On a GPU, these blocks would wait for ever.
    if (isTogether(kernel) && size_t{gridX} * gridY * gridZ > resident * multiprocessors) return kInvalidValue;
    Launch l{&kernel, {gridX, gridY, gridZ}, blockX, shared, {}};
    for (size_t i = 0; i < kernel.arguments; i++) {
      u64 slot;
      memcpy(&slot, parameters[i], sizeof slot);  // the addon's slots have 8 bytes
      l.arguments.push_back(slot);
    }
    if (!capturing) return kInvalidValue;  // the addon launches kernels in plans only
    capturing->push_back([l]() mutable { run(l); });
    return kSuccess;
  });
}

// For fake-cublas.cpp: see driver-hooks.hpp.
int fakeEnqueue(const std::function<void()>& work) {
  return call([&] { return capturing ? capturing->push_back(work) : void(stream.add(work)), kSuccess; });
}
bool fakeIsCapturing() { return capturing != nullptr; }
bool fakeIsInside(u64 pointer, size_t size) { return isInside(pointer, size); }

}  // extern "C"
