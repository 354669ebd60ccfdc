// Pinned memory and events; staging.hpp describes them.
#include "staging.hpp"

#include <algorithm>

namespace cuda {
namespace {
/// CU_EVENT_BLOCKING_SYNC: a thread that waits for the event sleeps. CU_EVENT_DISABLE_TIMING: the driver measures no
/// time.
constexpr unsigned kBlockingSync = 1, kDisableTiming = 2;
/// Larger memory is not kept, because pinned memory cannot be swapped out.
constexpr size_t kLargestKept = 64 << 20;
constexpr size_t kPage = 4096;
}  // namespace

Staging StagingPool::take(size_t size) {
  const auto fits = [&](const Staging& each) { return each.size >= size; };
  const auto found = std::find_if(free_.begin(), free_.end(), fits);
  if (found != free_.end()) {
    const Staging staging = *found;
    free_.erase(found);
    return staging;
  }
  // Buffers that are too small would not be used again.
  clear();
  Staging staging;
  staging.size = (std::max<size_t>(size, 1) + kPage - 1) / kPage * kPage;
  void* data = nullptr;
  driver_.check(driver_.allocateHost(&data, staging.size, 0), "allocating pinned memory");
  staging.data = static_cast<unsigned char*>(data);
  const Result result = driver_.createEvent(&staging.event, kBlockingSync | kDisableTiming);
  if (result != 0) free(staging);
  driver_.check(result, "creating an event");
  return staging;
}

void StagingPool::put(Staging staging) {
  if (staging.size > kLargestKept)
    free(staging);
  else
    free_.push_back(staging);
}

void StagingPool::free(const Staging& staging) const {
  if (staging.event) driver_.destroyEvent(staging.event);
  driver_.freeHost(staging.data);
}

void StagingPool::clear() {
  for (const Staging& each : free_) free(each);
  free_.clear();
}

}  // namespace cuda
