// Work that is done again and again on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace fovea {

class Ticker {
 public:
  // `work` throws nothing.
  Ticker(std::chrono::milliseconds period, std::function<void()> work)
      : thread_([period, work = std::move(work)](const std::stop_token& stopping) {
          std::mutex mutex;
          std::condition_variable_any wake;
          std::unique_lock lock(mutex);
          while (!wake.wait_for(lock, stopping, period, [&] { return stopping.stop_requested(); })) work();
        }) {}

 private:
  std::jthread thread_;  // ends when this does, at once or after the work at hand
};

}  // namespace fovea
