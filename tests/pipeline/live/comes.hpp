// Waiting in tests of what other threads do.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace fovea::test {

// Whether it becomes true within the time.
inline bool comes(const std::function<bool()>& condition, std::chrono::milliseconds within = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace fovea::test
