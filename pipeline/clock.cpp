#include "pipeline/clock.hpp"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "modules/core/threads.hpp"

namespace fovea {
namespace {

double read_clock(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

double wall_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
double thread_cpu_seconds() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
double process_cpu_seconds() { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

double team_cpu_seconds() {
  const int width = threads();
  if (width == 1) return thread_cpu_seconds();
  // OpenMP gives the same workers to every parallel region of a thread, so each of them reads its own clock.
  std::vector<double> seconds(static_cast<std::size_t>(width));
  parallel_blocks(width, [&](std::int64_t i) { seconds[static_cast<std::size_t>(i)] = thread_cpu_seconds(); });
  double sum = 0;
  for (double s : seconds) sum += s;
  return sum;
}

double peak_memory_mb() {
  // Not getrusage: its figure survives exec and so includes the program that started this one.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::atof(line.c_str() + 6) / 1024;
  return 0;
}

}  // namespace fovea
