// A plan: launches of kernels and products that follow each other, made once and run many times. The driver keeps it as
// a CUDA graph, so that running it is one call.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "device.hpp"

namespace cuda {

struct KernelLaunch {
  std::string kernel;
  unsigned grid[3], threads, sharedBytes;
  /// The arguments in slots of 8 bytes: an address, a whole number or, in the first 4 bytes, a float.
  std::vector<uint64_t> arguments;
};

/// One of our kernels, or a product by cuBLASLt.
using Launch = std::variant<KernelLaunch, Product>;

class Plan {
 public:
  /// Throws DriverError if a kernel is unknown, or the driver or cuBLASLt refuses a launch.
  Plan(std::shared_ptr<Device> device, std::vector<Launch> launches);
  ~Plan();
  Plan(const Plan&) = delete;
  /// Starts all launches on the device's stream. The caller holds the device.
  void start() const;

 private:
  const std::shared_ptr<Device> device_;
  Handle graph_ = nullptr, executable_ = nullptr;
};

}  // namespace cuda
