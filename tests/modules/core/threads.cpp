#include "modules/core/threads.hpp"

#include <atomic>
#include <limits>
#include <thread>

#include "modules/core/error.hpp"
#include "modules/core/iterate.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

struct Width {
  explicit Width(int n) : before(threads()) { set_threads(n); }
  ~Width() { set_threads(before); }
  int before;
};

bool flushes_denormals() {
  volatile float small = std::numeric_limits<float>::min();
  volatile float half = small * 0.5f;
  return half == 0.0f;
}

}  // namespace

TEST_CASE("parallel_for covers its range once") {
  for (const int count : {1, 2, 5}) {
    const Width width(count);
    for (const std::int64_t n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      parallel_for(n, 3, [&](std::int64_t b, std::int64_t e) {
        for (std::int64_t i = b; i < e; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      for (const auto& s : seen) REQUIRE(s == 1);
    }
  }
}

TEST_CASE("parallel_for: an exception comes back to the caller") {
  const Width width(4);
  for (int again = 0; again < 3; ++again)
    CHECK_THROWS_WITH(parallel_for(100, 1, [](std::int64_t b, std::int64_t) { check(b != 25, "piece ", b, " broke"); }),
                      "piece 25 broke");
  int runs = 0;
  parallel_for(1, 1, [&](std::int64_t, std::int64_t) { ++runs; });
  CHECK(runs == 1);
}

TEST_CASE("parallel_for inside parallel_for runs in place") {
  const Width width(3);
  std::atomic<int> total{0};
  parallel_blocks(
      6, [&](std::int64_t) { parallel_for(10, 1, [&](std::int64_t b, std::int64_t e) { total += static_cast<int>(e - b); }); });
  CHECK(total == 60);
}

TEST_CASE("lanes: width and flush-to-zero end with the lane") {
  const Width width(2);
  REQUIRE_FALSE(flushes_denormals());
  {
    const ThreadScope thread_scope(1);
    CHECK(threads() == 1);
#if defined(__x86_64__)
    CHECK(flushes_denormals());
#endif
    int elsewhere = 0;
    std::thread([&] { elsewhere = threads(); }).join();
    CHECK(elsewhere == cpu_budget());  // a lane belongs to its thread
  }
  CHECK(threads() == 2);
  CHECK_FALSE(flushes_denormals());
  {
    const ThreadScope same;
    CHECK(threads() == 2);
  }
  CHECK(cpu_budget() >= 1);
  set_threads(0);
  CHECK(threads() == cpu_budget());
}

TEST_CASE("workers share the caller's flush-to-zero") {
  const ThreadScope thread_scope(3);
  std::atomic<int> flushing{0};
  parallel_for(3, 1, [&](std::int64_t b, std::int64_t e) { flushing += flushes_denormals() ? static_cast<int>(e - b) : 0; });
#if defined(__x86_64__)
  CHECK(flushing == 3);
#endif
}

TEST_CASE("walks: dense operands of any layout are one row, broadcast ones keep their axes") {
  const Tensor a = Tensor::zeros({2, 3, 4, 5}, DType::f32, Layout::channels_last), b = Tensor::zeros({3, 1, 1});
  CHECK(Walk<2>(a.shape(), {operand(a), operand(a)}).shape == Shape{120});
  const Walk<2> walk(a.shape(), {operand(a), operand(b.expand(a.shape()))});
  CHECK(walk.shape == Shape{40, 3});
  CHECK(Walk<1>(Shape{}, {operand(Tensor::zeros({}))}).shape == Shape{1});
}
