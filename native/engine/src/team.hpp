// Threads that work on one thing together: each takes its share of the columns, and all meet where one needs what the
// others made.
#pragma once
#include <atomic>
#include <cstddef>
#include <thread>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace engine {

/// thread's part of `count`
struct Share {
  int begin, end;
  Share(size_t count, int thread, int threads)
      : begin(static_cast<int>(count * thread / threads)), end(static_cast<int>(count * (thread + 1) / threads)) {}
};

/// Where so many threads wait for each other. They come within microseconds, so they look before they let another
/// program run.
class Meeting {
 public:
  explicit Meeting(int threads) : threads_(threads) {}

  void wait() {
    const unsigned round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int looks = 0; round_.load(std::memory_order_acquire) == round; looks++) {
      if (looks < kLooks)
        relax();
      else
        std::this_thread::yield();
    }
  }

 private:
  static constexpr int kLooks = 2000;
  static void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const int threads_;
  // apart, so that those who look do not slow down those who arrive
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

/// One of the threads, as the code that they share sees it.
struct Team {
  int thread = 0, threads = 1;
  Meeting* meeting = nullptr;

  void meet() const {
    if (threads > 1) meeting->wait();
  }
  Share share(size_t count) const { return {count, thread, threads}; }
};

}  // namespace engine
