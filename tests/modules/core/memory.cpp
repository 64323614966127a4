#include "modules/core/memory.hpp"

#include <cmath>

#include "modules/core/tensor.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

TEST_CASE("memory: freed blocks are reused, aligned and counted") {
  memory::trim();
  const auto before = memory::stats();
  void* first = memory::allocate(100000);
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  CHECK(memory::stats().in_use >= before.in_use + 100000);
  CHECK(memory::stats().in_use <= before.in_use + 125000);
  memory::release(first, 100000);
  CHECK(memory::stats().in_use == before.in_use);
  CHECK(memory::stats().cached >= 100000);
  void* second = memory::allocate(99990);  // the same size class
  CHECK(second == first);
  CHECK(memory::stats().reused == before.reused + 1);
  CHECK(memory::stats().requests == before.requests + 2);
  memory::release(second, 99990);
  memory::trim();
  CHECK(memory::stats().cached == 0);
}

TEST_CASE("memory: every size is aligned and writable") {
  for (std::size_t bytes = 0; bytes < 70000; bytes += 1 + bytes / 7) {
    auto* block = static_cast<unsigned char*>(memory::allocate(bytes));
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
    std::fill(block, block + bytes, static_cast<unsigned char>(1));
    memory::release(block, bytes);
  }
}

TEST_CASE("memory: the cap bounds what is kept, the peak what was used") {
  memory::trim();
  memory::set_cache_cap(1 << 20);
  const auto before = memory::stats().in_use;
  memory::reset_peak();
  { const Tensor big = Tensor::empty({1 << 20}); }
  CHECK(memory::stats().cached == 0);  // 4 MiB is beyond the cap
  CHECK(memory::stats().peak >= before + (4u << 20));
  { const Tensor small = Tensor::empty({1 << 10}); }
  CHECK(memory::stats().cached >= 4096);
  memory::set_cache_cap(0);
  CHECK(memory::stats().cached == 0);
  memory::set_cache_cap(std::size_t{2} << 30);
  memory::reset_peak();
  CHECK(memory::stats().peak == memory::stats().in_use);
}

TEST_CASE("memory: fresh memory is NaN on request") {
  memory::fill_fresh_with_nan(true);
  const Tensor f = Tensor::empty({7}), d = Tensor::empty({7}, DType::f64), b = Tensor::empty({7}, DType::bf16);
  memory::fill_fresh_with_nan(false);
  for (const Tensor* t : {&f, &d, &b})
    for (const double v : t->values()) CHECK(std::isnan(v));
}

// The address sanitizer ends the program at such a request instead of returning null.
#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("memory: a refusal is an error with advice") {
  CHECK(fails_with([&] { memory::allocate(std::size_t{1} << 55); }, "the system refused"));
}
#endif
