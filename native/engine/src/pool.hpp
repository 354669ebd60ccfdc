// Threads that stay: run(f) calls f(thread) on each of them and on the caller, and returns when all are done.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace engine {

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  /// f must not throw. One run at a time.
  void run(const std::function<void(int thread)>& f);

 private:
  void work(int thread);

  std::vector<std::thread> workers_;
  const std::function<void(int)>* task_ = nullptr;
  std::atomic<uint64_t> round_{0};
  std::atomic<int> unfinished_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable started_, finished_;
};

}  // namespace engine
