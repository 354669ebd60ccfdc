// One run of a plan: copies to the device, the plan, copies from the device. All of it is started at once, so the next
// run can be started while this one goes on.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "plan.hpp"

namespace cuda {

/// A range of the CPU's memory.
struct Bytes {
  unsigned char* data;
  size_t size;
};

class Run {
 public:
  using Copies = std::vector<std::pair<Pointer, Bytes>>;

  /// Starts it, on the JavaScript thread. `uploads` are copied before this returns. Throws DriverError.
  Run(std::shared_ptr<Device> device, std::shared_ptr<Plan> plan, const Copies& uploads, Copies downloads);
  ~Run();
  Run(const Run&) = delete;
  /// Waits for the end of the run, on any thread. Throws DriverError.
  void wait() const;
  /// Fills the arrays of the downloads, on the JavaScript thread, after wait().
  void finish();

 private:
  const std::shared_ptr<Device> device_;
  const std::shared_ptr<Plan> plan_;
  const Copies downloads_;
  Staging staging_;
  bool isFinished_ = false;
};

}  // namespace cuda
