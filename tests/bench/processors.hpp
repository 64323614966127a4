// What is compared runs on the same processors.
#pragma once

#include <sched.h>

namespace fovea::bench {

// While alive, all threads of this process, and the programs that they start, have the first `count` of its processors.
class Processors {
 public:
  explicit Processors(int count);
  ~Processors();
  Processors(const Processors&) = delete;
  Processors& operator=(const Processors&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace fovea::bench
