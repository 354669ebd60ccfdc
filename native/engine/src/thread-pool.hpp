// A pool of threads. They live as long as the pool, so that a training step need not start threads.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace engine {

/// Runs a function on all of its threads at once.
class ThreadPool {
 public:
  /// Starts `threads` − 1 workers, because the calling thread works too.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  /// Calls f(thread) once for each thread, f(0) on the caller, and returns when all are done. f must not throw. Only
  /// one call of run at a time. While f runs, denormal numbers are treated as 0.
  void run(const std::function<void(int thread)>& f);

 private:
  void workerLoop(int thread);

  std::vector<std::thread> workers_;
  const std::function<void(int)>* task_ = nullptr;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> unfinished_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable started_, finished_;
};

}  // namespace engine
