// An open GPU: its context, a stream, and the module with the kernels.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "products.hpp"
#include "staging.hpp"

namespace cuda {

/// The name, identity and limits of a GPU.
struct DeviceProperties {
  std::string name, uuid;
  int major, minor, multiprocessors, driverVersion;
  /// Largest shared memory of a block, in bytes.
  int sharedMemory;
};

/// All methods may be called on any thread, one at a time: callers hold `busy`. The JavaScript thread starts work, and
/// `stream` does it in the order in which it was started.
class Device {
 public:
  /// Opens GPU number `ordinal` of those that CUDA_VISIBLE_DEVICES leaves. Throws DriverError.
  Device(const std::string& library, int ordinal);
  ~Device();
  Device(const Device&) = delete;

  const DeviceProperties& properties() const { return properties_; }
  void memory(size_t* free, size_t* total) const;
  /// Compiles the kernels from PTX for this GPU. Throws DriverError with what the compiler says.
  void loadKernels(const std::string& ptx);
  /// Finds a kernel, and makes it ready to be launched with `sharedBytes` bytes of shared memory.
  Handle kernel(const std::string& name, unsigned sharedBytes);
  /// How many blocks of a kernel the GPU runs at the same time; 0 if a block needs more shared memory than there is.
  int residentBlocks(const std::string& name, int threads, unsigned sharedBytes);
  /// Makes products() ready. Throws DriverError, NO_CUBLAS, if none of the libraries can be used.
  void openProducts(const std::vector<std::string>& libraries, size_t largestWorkspace);
  /// Throws DriverError if openProducts() was not called.
  Products& products() const;
  Pointer allocate(size_t size);
  /// Waits for the work that was started, then frees memory.
  void free(Pointer pointer);

  /// Makes this device's context the current one of this thread.
  void use() const;

  const Driver& driver;
  Handle stream = nullptr;
  StagingPool staging;
  std::mutex busy;

 private:
  int device_ = 0;
  DeviceProperties properties_;
  Handle context_ = nullptr, module_ = nullptr;
  std::unique_ptr<Products> products_;
  struct Kernel {
    Handle function = nullptr;
    unsigned sharedBytes = 0;  // the most that it may be launched with
  };
  std::map<std::string, Kernel> kernels_;
};

}  // namespace cuda
