// Threads that share one piece of work. Each thread processes its range. The threads wait for each other when one needs
// the results of the others. Trainer::decode runs a decoder's step this way.
#pragma once
#include <atomic>
#include <cstddef>
#include <thread>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace engine {

/// The part [begin, end) of `count` items that falls to `thread` of `threads`.
struct Range {
  int begin, end;
  Range(size_t count, int thread, int threads)
      : begin(static_cast<int>(count * thread / threads)), end(static_cast<int>(count * (thread + 1) / threads)) {}
};

/// A reusable barrier for `threads` threads. They arrive within microseconds, so it spins before it yields the CPU.
class SpinBarrier {
 public:
  explicit SpinBarrier(int threads) : threads_(threads) {}

  /// Returns when all threads have called it.
  void wait() {
    const unsigned generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      generation_.store(generation + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; spins++) {
      if (spins < kSpins)
        relax();
      else
        std::this_thread::yield();
    }
  }

 private:
  static constexpr int kSpins = 2000;
  static void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const int threads_;
  // On separate cache lines, so that spinning threads do not slow down arriving ones.
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> generation_{0};
};

/// One thread's view of a group that works together. The default is a group of one thread.
struct WorkGroup {
  int thread = 0, threads = 1;
  SpinBarrier* barrier = nullptr;

  /// Returns when every thread of the group has called it.
  void sync() const {
    if (threads > 1) barrier->wait();
  }
  /// This thread's part of `count` items.
  Range range(size_t count) const { return {count, thread, threads}; }
};

}  // namespace engine
