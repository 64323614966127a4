#include "modules/plan/memory.hpp"

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;
using plan::Allocation;

namespace {

bool together(const Allocation& a, const Allocation& b) { return a.first <= b.last && b.first <= a.last; }
bool overlap(const Allocation& a, const Allocation& b) { return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes; }

}  // namespace

TEST_CASE("plan memory: allocations that are in use together never overlap") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    std::vector<Allocation> allocations;
    for (int i = 0; i < 60; ++i) {
      const auto first = static_cast<int>(random.below(40));
      allocations.push_back(
          {static_cast<std::size_t>(1 + random.below(5000)), first, first + static_cast<int>(random.below(8)), 0});
    }
    const std::size_t size = plan::assign_offsets(allocations);
    for (const Allocation& a : allocations) {
      CHECK(a.offset % 64 == 0);
      CHECK(a.offset + a.bytes <= size);
      for (const Allocation& b : allocations)
        if (&a != &b && together(a, b)) CHECK_FALSE(overlap(a, b));
    }
  }
}

TEST_CASE("plan memory: a chain of equal allocations takes two") {
  std::vector<Allocation> allocations;
  for (int i = 0; i < 20; ++i) allocations.push_back({6400, i, i + 1, 0});
  CHECK(plan::assign_offsets(allocations) == 2 * 6400);
}
