#include "modules/core/threads.hpp"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>

#include "modules/core/cgroup.hpp"
#include "modules/core/tsan.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace fovea {
namespace {

thread_local int width = 0;  // 0: not set on this thread, the whole budget

int affinity_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// The threads of OpenMP's pool are not there in a child of fork(), and whoever waits for them waits for ever.
std::atomic<bool> forked{false};

void watch_forks() {
  static const int once = ::pthread_atfork(nullptr, nullptr, [] {
    forked = true;
    width = 1;
    omp_set_num_threads(1);
  });
  static_cast<void>(once);
}

constexpr unsigned kFlush = 0x8040;  // FTZ | DAZ

unsigned read_csr() {
#if defined(__x86_64__)
  return _mm_getcsr();
#else
  return 0;
#endif
}

void write_csr([[maybe_unused]] unsigned value) {
#if defined(__x86_64__)
  _mm_setcsr(value);
#endif
}

// OpenMP workers keep their own control register: the caller's is copied to them, and exceptions come back to the caller.
class Team {
 public:
  void work(const std::function<void(int, int)>& body) {
    happens_after(&csr_);
    write_csr(csr_);
    try {
      body(omp_get_thread_num(), omp_get_num_threads());
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    happens_before(&error_);
  }
  void end() const {
    happens_after(&error_);
    if (error_) std::rethrow_exception(error_);
  }
  void begin() const { happens_before(&csr_); }

 private:
  unsigned csr_ = read_csr();
  std::exception_ptr error_;
  std::mutex mutex_;
};

FOVEA_CARRIED void team(int count, const std::function<void(int, int)>& body) {
  Team team;
  team.begin();
#pragma omp parallel num_threads(count)
  team.work(body);
  team.end();
}

}  // namespace

int cpu_budget() {
  static const int budget = [] {
    const int cpus = affinity_count();
    const double quota = cgroup_quota();
    return quota > 0 ? std::clamp(static_cast<int>(std::ceil(quota)), 1, cpus) : cpus;
  }();
  return budget;
}

void set_threads(int count) {
  width = forked ? 1 : count <= 0 ? cpu_budget() : count;
  if (width > 1) watch_forks();
  omp_set_num_threads(width);
}

int threads() {
  if (width == 0) set_threads(0);
  return width;
}

ThreadScope::ThreadScope(int width) : previous_width_(threads()), previous_csr_(read_csr()) {
  if (width > 0) set_threads(width);
  write_csr(previous_csr_ | kFlush);
}

ThreadScope::~ThreadScope() {
  set_threads(previous_width_);
  write_csr(previous_csr_);
}

void parallel_for(std::int64_t n, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& f) {
  if (n <= 0) return;
  const std::int64_t pieces = std::min<std::int64_t>(threads(), (n + grain - 1) / std::max<std::int64_t>(grain, 1));
  if (pieces <= 1 || omp_in_parallel()) return f(0, n);
  team(static_cast<int>(pieces), [&](int i, int count) {
    const std::int64_t begin = n * i / count, end = n * (i + 1) / count;
    if (begin < end) f(begin, end);
  });
}

void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& f) {
  parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) f(b);
  });
}

}  // namespace fovea
