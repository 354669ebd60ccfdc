// Memory in one piece: what is needed is planned first (and can be asked for), then taken once and kept.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include <unistd.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace engine {

/// Floats at the alignment of the widest vectors, zeroed.
class Floats {
 public:
  Floats() = default;
  explicit Floats(size_t size) : size_(size) {
    if (size == 0) return;
    // large pages: a step walks through tens of megabytes, in strides
    const size_t alignment = size * sizeof(float) >= kLargePage ? kLargePage : 64;
    const size_t bytes = (size * sizeof(float) + alignment - 1) / alignment * alignment;
    void* memory = nullptr;
    // the system would promise more than there is, and end the process when it is used
    static const size_t physical =
        static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    if (size > physical / sizeof(float) || posix_memalign(&memory, alignment, bytes) != 0) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == kLargePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    std::memset(memory, 0, bytes);
    data_.reset(static_cast<float*>(memory));
  }
  float* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kLargePage = 2 << 20;
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
  size_t size_ = 0;
};

/// Hands out pieces of one block of floats. Without a block it only counts: the same code plans and places.
class Arena {
 public:
  explicit Arena(float* base = nullptr) : base_(base) {}
  float* take(size_t floats) {
    float* piece = base_ ? base_ + used_ : nullptr;
    used_ += (floats + 15) / 16 * 16;
    return piece;
  }
  size_t used() const { return used_; }

 private:
  float* base_;
  size_t used_ = 0;
};

}  // namespace engine
