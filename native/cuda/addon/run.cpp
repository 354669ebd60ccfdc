// Starts a plan and waits for it; run.hpp describes it.
#include "run.hpp"

#include <cstring>

namespace cuda {
namespace {
/// Rounds up to 256 bytes, to which parts of the staging memory are aligned, so that all copies are equally fast.
size_t aligned(size_t size) { return (size + 255) / 256 * 256; }
}  // namespace

Run::Run(std::shared_ptr<Device> device, std::shared_ptr<Plan> plan, const Copies& uploads, Copies downloads)
    : device_(std::move(device)), plan_(std::move(plan)), downloads_(std::move(downloads)) {
  const Driver& driver = device_->driver;
  device_->use();
  size_t size = 0;
  for (const auto& [to, from] : uploads) size += aligned(from.size);
  for (const auto& [from, to] : downloads_) size += aligned(to.size);
  staging_ = device_->staging.take(size);
  try {
    // Downloads come first, so that finish() finds them.
    unsigned char* at = staging_.data;
    for (const auto& [from, to] : downloads_) at += aligned(to.size);
    for (const auto& [to, from] : uploads) {
      memcpy(at, from.data, from.size);
      driver.check(driver.copyToDevice(to, at, from.size, device_->stream), "copying to the GPU");
      at += aligned(from.size);
    }
    plan_->start();
    at = staging_.data;
    for (const auto& [from, to] : downloads_) {
      driver.check(driver.copyToHost(at, from, to.size, device_->stream), "copying from the GPU");
      at += aligned(to.size);
    }
    driver.check(driver.recordEvent(staging_.event, device_->stream), "running a plan");
  } catch (...) {
    driver.synchronize(device_->stream);  // copies may have been started
    device_->staging.free(staging_);
    throw;
  }
}

Run::~Run() {
  if (isFinished_) return;
  // The run failed, or nobody waited for it. After a failure, the driver refuses all calls.
  try {
    device_->use();
  } catch (const DriverError&) {
  }
  device_->driver.synchronize(device_->stream);
  device_->staging.free(staging_);
}

void Run::wait() const {
  device_->use();
  device_->driver.check(device_->driver.waitForEvent(staging_.event), "running a plan");
}

void Run::finish() {
  const unsigned char* at = staging_.data;
  for (const auto& [from, to] : downloads_) {
    memcpy(to.data, at, to.size);
    at += aligned(to.size);
  }
  device_->use();
  device_->staging.put(staging_);
  isFinished_ = true;
}

}  // namespace cuda
