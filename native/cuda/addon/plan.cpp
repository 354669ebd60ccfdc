// Captures launches as a graph; plan.hpp describes it.
#include "plan.hpp"

#include <functional>

namespace cuda {
namespace {

constexpr int kCaptureOfThread = 1;  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

void launchKernel(const Device& device, Handle kernel, KernelLaunch& l) {
  std::vector<void*> parameters;
  for (uint64_t& argument : l.arguments) parameters.push_back(&argument);
  device.driver.check(device.driver.launch(kernel, l.grid[0], l.grid[1], l.grid[2], l.threads, 1, 1, l.sharedBytes,
                                           device.stream, parameters.data(), nullptr),
                      ("launching the kernel " + l.kernel).c_str());
}

}  // namespace

Plan::Plan(std::shared_ptr<Device> device, std::vector<Launch> launches) : device_(std::move(device)) {
  if (launches.empty()) return;
  const Driver& driver = device_->driver;
  const Handle stream = device_->stream;
  // Kernels are looked up and products are described before the capture. During it, the driver takes only launches.
  std::vector<std::function<void()>> calls;
  for (Launch& launch : launches) {
    if (auto* l = std::get_if<KernelLaunch>(&launch)) {
      calls.push_back(
          [this, l, kernel = device_->kernel(l->kernel, l->sharedBytes)] { launchKernel(*device_, kernel, *l); });
    } else {
      const auto product = std::make_shared<Products::Prepared>(device_->products(), std::get<Product>(launch));
      // This writes the result and the workspace. No plan reads either before it has written them, and work in flight
      // precedes this in the stream.
      product->launchFirst(stream);
      calls.push_back([product, stream] { product->launch(stream); });
    }
  }
  driver.check(driver.beginCapture(stream, kCaptureOfThread), "recording a plan");
  try {
    for (const auto& call : calls) call();
  } catch (...) {
    Handle unfinished = nullptr;
    driver.endCapture(stream, &unfinished);
    if (unfinished) driver.destroyGraph(unfinished);
    throw;
  }
  driver.check(driver.endCapture(stream, &graph_), "recording a plan");
  try {
    executable_ = driver.instantiate(graph_);
  } catch (...) {
    driver.destroyGraph(graph_);  // ~Plan() is not called
    throw;
  }
}

Plan::~Plan() {
  if (executable_) device_->driver.destroyExecutable(executable_);
  if (graph_) device_->driver.destroyGraph(graph_);
}

void Plan::start() const {
  if (!executable_) return;
  device_->driver.check(device_->driver.launchGraph(executable_, device_->stream), "running a plan");
}

}  // namespace cuda
