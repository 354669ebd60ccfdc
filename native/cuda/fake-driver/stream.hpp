// The streams of the fake driver: a thread does their work in order, while the program goes on, as a GPU does.
//
// Environment variables:
//   FAKE_CUDA_HOLD      while a file of this name exists, no plan begins
//   FAKE_CUDA_PLANS     a file: a line is added to it when a plan is launched, and one when it has ended
#pragma once
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace fake {

class Stream {
 public:
  ~Stream() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      isEnding_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  /// Adds work, and returns its number, from 1 on.
  size_t add(std::function<void()> work) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { doWork(); });
    work_.push_back(std::move(work));
    changed_.notify_all();
    return ++added_;
  }

  size_t added() {
    std::lock_guard<std::mutex> lock(mutex_);
    return added_;
  }

  /// Waits until the work with this number is done.
  void waitFor(size_t number) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= number || isEnding_; });
  }

  bool isEnding() {
    std::lock_guard<std::mutex> lock(mutex_);
    return isEnding_;
  }

 private:
  void doWork() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !work_.empty() || isEnding_; });
      if (isEnding_) return;
      const std::function<void()> next = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      next();
      lock.lock();
      done_++;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  size_t added_ = 0, done_ = 0;
  bool isEnding_ = false;
  std::thread thread_;
};

/// The files that FAKE_CUDA_HOLD and FAKE_CUDA_PLANS name when a plan is launched.
struct Traced {
  std::string hold, plans;

  static Traced now() {
    const auto valueOf = [](const char* variable) {
      const char* text = getenv(variable);
      return std::string(text ? text : "");
    };
    return {valueOf("FAKE_CUDA_HOLD"), valueOf("FAKE_CUDA_PLANS")};
  }
  void waitWhileHeld(Stream& stream) const {
    while (!hold.empty() && access(hold.c_str(), F_OK) == 0 && !stream.isEnding()) usleep(1000);
  }
  void note(const char* what) const {
    if (plans.empty()) return;
    FILE* file = fopen(plans.c_str(), "a");
    fprintf(file, "%s\n", what);
    fclose(file);
  }
};

}  // namespace fake
