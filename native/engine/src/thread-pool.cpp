// The pool of threads; thread-pool.hpp describes its interface.
#include "thread-pool.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace engine {
namespace {

// Parallel sections of a step follow each other within microseconds, so workers spin for the next one before they
// sleep.
constexpr int kSpins = 4000;

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Treats denormal numbers (below 1e-38) as 0 during its lifetime: flush-to-zero and denormals-are-zero bits of MXCSR
// (Intel SDM vol. 1, ch. 10.2.3), FZ of FPCR on arm64. Moments and small gradients would otherwise be a hundred times
// slower.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" : : "r"(saved_ | (1ull << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  uint64_t saved_;
#else
  FlushDenormals() {}
#endif
};

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int thread = 1; thread < threads; thread++) workers_.emplace_back([this, thread] { workerLoop(thread); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    generation_++;
  }
  started_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(const std::function<void(int)>& f) {
  const FlushDenormals flush;
  if (!workers_.empty()) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = &f;
      unfinished_ = static_cast<int>(workers_.size());
      generation_++;
    }
    started_.notify_all();
  }
  f(0);
  if (workers_.empty()) return;
  for (int i = 0; i < kSpins && unfinished_ > 0; i++) relax();
  if (unfinished_ == 0) return;
  std::unique_lock<std::mutex> lock(mutex_);
  finished_.wait(lock, [this] { return unfinished_ == 0; });
}

void ThreadPool::workerLoop(int thread) {
  const FlushDenormals flush;
  for (uint64_t seen = 0;;) {
    for (int i = 0; i < kSpins && generation_ == seen; i++) relax();
    if (generation_ == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      started_.wait(lock, [&] { return generation_ != seen; });
    }
    seen = generation_;
    if (stopping_) return;
    (*task_)(thread);
    if (--unfinished_ == 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      finished_.notify_one();
    }
  }
}

}  // namespace engine
