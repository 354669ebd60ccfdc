// Memory of the engine: an aligned buffer, and an arena that divides a buffer. Callers run their layout code twice. The
// first run uses an arena without memory, which only counts. Then they allocate a buffer of that size, and run the same
// code on it.
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

/// Owns `size` floats, zeroed and aligned for the widest vectors (64 bytes). Throws std::bad_alloc.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) : size_(size) {
    if (size == 0) return;
    // Large pages, because a step walks through tens of megabytes with large strides.
    const size_t alignment = size * sizeof(float) >= kLargePage ? kLargePage : 64;
    const size_t bytes = (size * sizeof(float) + alignment - 1) / alignment * alignment;
    void* memory = nullptr;
    // Linux overcommits: it grants more than the physical memory, and kills the process when it uses that memory.
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

/// Bump allocator within a buffer that it does not own. With a null base it only counts, and returns null pointers.
class Arena {
 public:
  explicit Arena(float* base = nullptr) : base_(base) {}
  /// The next `floats` floats, rounded up to a multiple of 16 so that every piece is aligned to 64 bytes.
  float* allocate(size_t floats) {
    float* piece = base_ ? base_ + used_ : nullptr;
    used_ += (floats + 15) / 16 * 16;
    return piece;
  }
  /// Floats allocated so far.
  size_t used() const { return used_; }

 private:
  float* base_;
  size_t used_ = 0;
};

}  // namespace engine
