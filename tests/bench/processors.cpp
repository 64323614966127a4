#include "tests/bench/processors.hpp"

#include <filesystem>
#include <string>

#include "modules/core/error.hpp"

namespace fovea::bench {
namespace {

// Linux keeps the processors of each thread apart, and OpenMP's threads outlive the work that made them.
void give_all_threads(const cpu_set_t& set) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    check(sched_setaffinity(std::stoi(task.path().filename()), sizeof set, &set) == 0,
          "bench: cannot set the processors of a thread");
}

}  // namespace

Processors::Processors(int count) {
  check(sched_getaffinity(0, sizeof before_, &before_) == 0, "bench: cannot read the processors of this thread");
  cpu_set_t some;
  CPU_ZERO(&some);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < count; ++cpu)
    if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &some);
  check(CPU_COUNT(&some) == count, "bench: expected ", count, " processors, got ", CPU_COUNT(&some));
  give_all_threads(some);
}

Processors::~Processors() {
  try {
    give_all_threads(before_);
  } catch (const std::exception&) {}  // a thread that ended meanwhile
}

}  // namespace fovea::bench
