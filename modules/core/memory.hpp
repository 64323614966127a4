// The caching allocator: 64-byte aligned blocks in size classes, kept for reuse up to a cap.
// Fresh pages cost more than the arithmetic on them, so freed blocks stay here instead of going back to the system.
#pragma once

#include <cstddef>
#include <cstdint>

#include "modules/core/error.hpp"

namespace fovea::memory {

// Another time, or with less at once, it may go.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

struct Stats {
  std::size_t in_use = 0;      // bytes handed out now
  std::size_t peak = 0;        // largest in_use since reset_peak()
  std::size_t cached = 0;      // bytes kept for reuse
  std::uint64_t requests = 0;  // allocations asked for
  std::uint64_t reused = 0;    // of these, served from the cache
};

void* allocate(std::size_t bytes);  // throws OutOfMemory when the system has no more
void release(void* block, std::size_t bytes) noexcept;

Stats stats();
void reset_peak();
void set_cache_cap(std::size_t bytes);  // default 2 GiB, at most an eighth of the machine's memory
void trim();                            // gives all cached blocks back to the system
void fail_at(std::uint64_t request);    // for tests: the n-th request from now on is refused, as by the system; 0: none
void fill_fresh_with_nan(bool on);      // for tests: what is not written shows

}  // namespace fovea::memory
