// Opens a GPU; device.hpp describes it.
#include "device.hpp"

#include <algorithm>
#include <vector>

namespace cuda {
namespace {

// From cuda.h: CUdevice_attribute, CUfunction_attribute and CUjit_option.
constexpr int kMultiprocessors = 16, kComputeMajor = 75, kComputeMinor = 76, kSharedMemoryOptin = 97;
constexpr int kMaxDynamicSharedMemory = 8;
constexpr int kErrorLog = 5, kErrorLogSize = 6;
/// Bytes of shared memory that a kernel may use without setting an attribute.
constexpr unsigned kDefaultSharedMemory = 48 << 10;

std::string hex(const unsigned char* bytes, int from, int to) {
  std::string text;
  for (int i = from; i < to; i++) {
    text += "0123456789abcdef"[bytes[i] >> 4];
    text += "0123456789abcdef"[bytes[i] & 15];
  }
  return text;
}

}  // namespace

Device::Device(const std::string& library, int ordinal) : driver(Driver::open(library)), staging(driver) {
  int count = 0;
  driver.check(driver.deviceCount(&count), "counting GPUs");
  if (ordinal >= count)
    throw DriverError("the driver shows " + std::to_string(count) + (count == 1 ? " GPU" : " GPUs"), "NO_GPU");
  driver.check(driver.deviceAt(&device_, ordinal), "opening the GPU");
  char name[256] = "";
  unsigned char uuid[16] = {};
  driver.check(driver.deviceName(name, sizeof name - 1, device_), "asking for the name of the GPU");
  driver.check(driver.deviceUuid(uuid, device_), "asking for the identity of the GPU");
  const auto attribute = [&](int which) {
    int value = 0;
    driver.check(driver.deviceAttribute(&value, which, device_), "asking what the GPU can do");
    return value;
  };
  int version = 0;
  driver.check(driver.driverVersion(&version), "asking for the driver's version");
  properties_ = {name,
                 "GPU-" + hex(uuid, 0, 4) + "-" + hex(uuid, 4, 6) + "-" + hex(uuid, 6, 8) + "-" + hex(uuid, 8, 10) +
                     "-" + hex(uuid, 10, 16),
                 attribute(kComputeMajor),
                 attribute(kComputeMinor),
                 attribute(kMultiprocessors),
                 version,
                 attribute(kSharedMemoryOptin)};
  driver.check(driver.retainContext(&context_, device_), "opening the GPU");
  use();
  driver.check(driver.createStream(&stream, 0), "opening the GPU");
}

Device::~Device() {
  if (!context_) return;
  // Errors are ignored: a GPU that was lost cannot be closed.
  driver.setContext(context_);
  staging.clear();
  products_.reset();
  if (stream) driver.destroyStream(stream);
  if (module_) driver.unloadModule(module_);
  driver.releaseContext(device_);
}

void Device::use() const { driver.check(driver.setContext(context_), "choosing the GPU"); }

void Device::memory(size_t* free, size_t* total) const {
  use();
  driver.check(driver.memoryInfo(free, total), "asking for the memory of the GPU");
}

void Device::loadKernels(const std::string& ptx) {
  use();
  std::vector<char> log(8192);
  int options[] = {kErrorLog, kErrorLogSize};
  void* values[] = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  const Result result = driver.loadModule(&module_, ptx.c_str(), 2, options, values);
  const std::string doing = "compiling the kernels for this GPU" + (log[0] ? ": " + std::string(log.data()) : "");
  driver.check(result, doing.c_str());
}

Handle Device::kernel(const std::string& name, unsigned sharedBytes) {
  use();
  Kernel& kernel = kernels_[name];
  if (!kernel.function) {
    const Result result = driver.functionOf(&kernel.function, module_, name.c_str());
    if (result != 0) kernels_.erase(name);
    driver.check(result, ("finding the kernel " + name).c_str());
  }
  // The attribute is set even if the default is enough, because that loads the kernel. Otherwise the driver may load it
  // at its first launch, which it must not do while a plan is recorded.
  const unsigned wanted = std::max(sharedBytes, kDefaultSharedMemory);
  if (wanted > kernel.sharedBytes) {
    driver.check(driver.setFunctionAttribute(kernel.function, kMaxDynamicSharedMemory, static_cast<int>(wanted)),
                 ("giving shared memory to the kernel " + name).c_str());
    kernel.sharedBytes = wanted;
  }
  return kernel.function;
}

int Device::residentBlocks(const std::string& name, int threads, unsigned sharedBytes) {
  if (sharedBytes > static_cast<unsigned>(properties_.sharedMemory)) return 0;
  int blocks = 0;
  driver.check(driver.residentBlocks(&blocks, kernel(name, sharedBytes), threads, sharedBytes),
               ("asking how many blocks of the kernel " + name + " fit").c_str());
  return blocks * properties_.multiprocessors;
}

void Device::openProducts(const std::vector<std::string>& libraries, size_t largestWorkspace) {
  use();
  products_ = std::make_unique<Products>(libraries, properties_.driverVersion, largestWorkspace);
}

Products& Device::products() const {
  if (!products_) throw DriverError("cuBLASLt was not opened", "NO_CUBLAS");
  return *products_;
}

Pointer Device::allocate(size_t size) {
  use();
  Pointer pointer = 0;
  driver.check(driver.allocate(&pointer, size), "allocating memory on the GPU");
  return pointer;
}

void Device::free(Pointer pointer) {
  use();
  driver.synchronize(stream);
  driver.free(pointer);
}

}  // namespace cuda
