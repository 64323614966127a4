// One CPU budget for the process. Model code runs on OpenMP (oneDNN's pool); every thread that runs a model sets its own
// width first, because OpenMP's setting belongs to the thread that made it.
#pragma once

#include <cstdint>
#include <functional>

namespace fovea {

// Processors this process may use: affinity mask and cgroup quota, at least 1.
int cpu_budget();

// Number of threads that kernels called from this thread use.
void set_threads(int count);  // 0: the whole budget
int threads();

// Sets the width of this thread and, while alive, flush-to-zero and denormals-are-zero: denormal numbers make
// convolutions ten times slower. The state of the user's thread comes back afterwards.
class ThreadScope {
 public:
  explicit ThreadScope(int width = 0);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int previous_width_;
  unsigned previous_csr_;
};

// Runs f(begin, end) over [0, n) in pieces of at least `grain`, on threads() threads.
// Pieces depend on the thread count: a result that is summed over pieces must not be taken this way (see parallel_blocks).
void parallel_for(std::int64_t n, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& f);

// Runs f(block) for every block in [0, blocks): the split is the caller's, so results do not depend on the thread count.
void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& f);

}  // namespace fovea
