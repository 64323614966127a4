// Ctrl-C and SIGTERM end a run in good order: while one of these lives, the first is noted and the second ends the process at once.
#pragma once

#include <atomic>
#include <csignal>

namespace fovea {

class Interrupt {
 public:
  Interrupt();   // one at a time
  ~Interrupt();  // the handlers of before come back
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  static bool requested();
  static const std::atomic<bool>& flag();  // the same, for what is told to stop by one

 private:
  struct sigaction before_int_, before_term_;
};

}  // namespace fovea
