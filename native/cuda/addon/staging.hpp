// Pinned memory of the CPU, through which copies to and from the GPU pass while the CPU continues, and the event that
// says when they are done. The driver copies from pinned memory directly.
#pragma once
#include <vector>

#include "driver.hpp"

namespace cuda {

/// Pinned memory and an event, which one run of a plan holds until it has ended.
struct Staging {
  unsigned char* data = nullptr;
  size_t size = 0;
  Handle event = nullptr;
};

/// The staging memory of one device. A run that follows another one before that has ended gets other memory, so two
/// runs in flight are double buffered. Used on the JavaScript thread alone, with the context of the device current.
class StagingPool {
 public:
  explicit StagingPool(const Driver& driver) : driver_(driver) {}
  /// Throws DriverError.
  Staging take(size_t size);
  /// Returns the memory of a run that has ended to the pool.
  void put(Staging staging);
  /// Frees memory. Ignores errors of the driver, which may refuse after an earlier error.
  void free(const Staging& staging) const;
  /// Frees all memory in the pool.
  void clear();

 private:
  const Driver& driver_;
  std::vector<Staging> free_;
};

}  // namespace cuda
