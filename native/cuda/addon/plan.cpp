// Captures launches as a graph; plan.hpp describes it.
#include "plan.hpp"

namespace cuda {
namespace {
constexpr int kCaptureOfThread = 1;  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
}

Plan::Plan(std::shared_ptr<Device> device, std::vector<Launch> launches)
    : device_(std::move(device)), launches_(std::move(launches)) {
  if (launches_.empty()) return;
  const Driver& driver = device_->driver;
  // Kernels are looked up before the capture, in which the driver takes only launches.
  std::vector<Handle> kernels;
  for (const Launch& l : launches_) kernels.push_back(device_->kernel(l.kernel, l.sharedBytes));
  driver.check(driver.beginCapture(device_->stream, kCaptureOfThread), "recording a plan");
  try {
    launchAll(kernels);
  } catch (...) {
    Handle unfinished = nullptr;
    driver.endCapture(device_->stream, &unfinished);
    if (unfinished) driver.destroyGraph(unfinished);
    throw;
  }
  driver.check(driver.endCapture(device_->stream, &graph_), "recording a plan");
  executable_ = driver.instantiate(graph_);
}

Plan::~Plan() {
  if (executable_) device_->driver.destroyExecutable(executable_);
  if (graph_) device_->driver.destroyGraph(graph_);
}

void Plan::launchAll(const std::vector<Handle>& kernels) {
  for (size_t i = 0; i < launches_.size(); i++) {
    Launch& l = launches_[i];
    std::vector<void*> parameters;
    for (uint64_t& argument : l.arguments) parameters.push_back(&argument);
    device_->driver.check(device_->driver.launch(kernels[i], l.grid[0], l.grid[1], l.grid[2], l.threads, 1, 1,
                                                 l.sharedBytes, device_->stream, parameters.data(), nullptr),
                          ("launching the kernel " + l.kernel).c_str());
  }
}

void Plan::start() const {
  if (!executable_) return;
  device_->driver.check(device_->driver.launchGraph(executable_, device_->stream), "running a plan");
}

}  // namespace cuda
