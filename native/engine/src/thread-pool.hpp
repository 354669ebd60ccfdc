// A pool of threads that live as long as it does, so that a training step starts none.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace engine {

class ThreadPool {
 public:
  /// The calling thread counts: starts `threads` − 1 workers.
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
