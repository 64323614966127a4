#include "modules/core/memory.hpp"

#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "modules/core/budget.hpp"
#include "modules/core/error.hpp"

namespace fovea::memory {
namespace {

constexpr std::size_t kAlign = 64;

// Four classes per power of two: at most a quarter of a block is wasted.
std::size_t size_class(std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, kAlign);
  const std::size_t step = std::max(kAlign, std::bit_floor(bytes) / 4);
  return (bytes + step - 1) / step * step;
}

std::size_t default_cap() {
  const auto machine = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return std::min<std::size_t>(std::size_t{2} << 30, machine / 8);
}

struct Pool {
  std::mutex mutex;
  std::map<std::size_t, std::vector<void*>> free;
  Stats stats;
  std::size_t cap = default_cap();
  bool nan = false;
  std::uint64_t until_failure = 0;  // requests; 0: there is none to come
};

// Never destroyed: tensors with static lifetime may be released after main.
Pool& pool() {
  static Pool& p = *new Pool;
  return p;
}

void trim_locked(Pool& p, std::size_t down_to) {
  while (p.stats.cached > down_to && !p.free.empty()) {
    auto largest = std::prev(p.free.end());
    std::free(largest->second.back());
    p.stats.cached -= largest->first;
    largest->second.pop_back();
    if (largest->second.empty()) p.free.erase(largest);
  }
}

void check_there(bool there, std::size_t size) {
  check(there, "memory: the system refused ", size, " bytes; use smaller tiles, batches or fewer jobs");
}

void* fresh(Pool& p, std::size_t size) {
  void* block = std::aligned_alloc(kAlign, size);
  if (!block) {
    {
      std::lock_guard lock(p.mutex);
      trim_locked(p, 0);
    }
    block = std::aligned_alloc(kAlign, size);
  }
  check_there(block != nullptr, size);
  return block;
}

}  // namespace

void* allocate(std::size_t bytes) {
  Pool& p = pool();
  const std::size_t size = size_class(bytes);
  ShapeBudget::take(size);
  void* block = nullptr;
  bool nan = false;
  {
    std::lock_guard lock(p.mutex);
    ++p.stats.requests;
    nan = p.nan;
    if (p.until_failure > 0) check_there(--p.until_failure > 0, size);
    if (auto it = p.free.find(size); it != p.free.end()) {
      block = it->second.back();
      it->second.pop_back();
      if (it->second.empty()) p.free.erase(it);
      p.stats.cached -= size;
      ++p.stats.reused;
    }
  }
  if (!block) block = fresh(p, size);
  {
    std::lock_guard lock(p.mutex);
    p.stats.in_use += size;
    p.stats.peak = std::max(p.stats.peak, p.stats.in_use);
  }
  if (nan) std::memset(block, 0xff, size);  // all bits set is a NaN in f32, f64, bf16 and f16
  return block;
}

void release(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  Pool& p = pool();
  const std::size_t size = size_class(bytes);
  std::lock_guard lock(p.mutex);
  p.stats.in_use -= size;
  if (p.stats.cached + size > p.cap) {
    std::free(block);
    return;
  }
  p.free[size].push_back(block);
  p.stats.cached += size;
}

Stats stats() {
  std::lock_guard lock(pool().mutex);
  return pool().stats;
}

void reset_peak() {
  std::lock_guard lock(pool().mutex);
  pool().stats.peak = pool().stats.in_use;
}

void set_cache_cap(std::size_t bytes) {
  std::lock_guard lock(pool().mutex);
  pool().cap = bytes;
  trim_locked(pool(), bytes);
}

void trim() {
  std::lock_guard lock(pool().mutex);
  trim_locked(pool(), 0);
#ifdef __GLIBC__
  malloc_trim(0);  // free() keeps what lies below a block that is in use
#endif
}

void fail_at(std::uint64_t request) {
  std::lock_guard lock(pool().mutex);
  pool().until_failure = request;
}

void fill_fresh_with_nan(bool on) {
  std::lock_guard lock(pool().mutex);
  pool().nan = on;
}

}  // namespace fovea::memory
