// While one of these lives, parameters that are declared on this thread stay without values: for a network whose weights are loaded at once,
// which drawing random ones would only delay. Whoever makes one has to see that every parameter gets its value.
#pragma once

#include <utility>

namespace fovea {

class SkipInit {
 public:
  SkipInit() : previous_(std::exchange(active_, true)) {}
  ~SkipInit() { active_ = previous_; }
  SkipInit(const SkipInit&) = delete;
  SkipInit& operator=(const SkipInit&) = delete;
  static bool active() { return active_; }

 private:
  inline static thread_local bool active_ = false;
  bool previous_;
};

}  // namespace fovea
