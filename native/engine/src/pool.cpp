#include "pool.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace engine {
namespace {

// The phases of a step follow each other within microseconds: look for the next one before going to sleep.
constexpr int kSpins = 4000;

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Numbers below 1e-38 count as 0 while this lives: moments and small gradients would otherwise be a hundred times
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

Pool::Pool(int threads) {
  for (int thread = 1; thread < threads; thread++) workers_.emplace_back([this, thread] { work(thread); });
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    round_++;
  }
  started_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::run(const std::function<void(int)>& f) {
  const FlushDenormals flush;
  if (!workers_.empty()) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = &f;
      unfinished_ = static_cast<int>(workers_.size());
      round_++;
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

void Pool::work(int thread) {
  const FlushDenormals flush;
  for (uint64_t seen = 0;;) {
    for (int i = 0; i < kSpins && round_ == seen; i++) relax();
    if (round_ == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      started_.wait(lock, [&] { return round_ != seen; });
    }
    seen = round_;
    if (stopping_) return;
    (*task_)(thread);
    if (--unfinished_ == 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      finished_.notify_one();
    }
  }
}

}  // namespace engine
