#include <atomic>
#include <chrono>

#include "modules/train/batch_source.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;

namespace {

// Even batches take longer, so that threads overtake each other.
struct Counting final : BatchSource {
  std::int64_t fails_at = -1;
  mutable std::atomic<std::int64_t> made{0};
  Batch batch(std::int64_t number) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(number % 2 ? 0 : 4));
    check(number != fails_at, "batch ", number, " is bad");
    ++made;
    return {{{"x", Tensor::full({1}, static_cast<double>(number))}}, {{"y", Tensor::full({1}, static_cast<double>(-number))}}};
  }
};

}  // namespace

TEST_CASE("loader: batches come in order from any number of threads, from any first one") {
  for (const int threads : {1, 2, 5}) {
    const Counting source;
    Prefetcher batches(source, 7, threads);
    for (std::int64_t k = 7; k < 30; ++k) {
      const Batch b = batches.next();
      CHECK(b.input().item() == static_cast<double>(k));
      CHECK(b.target().item() == static_cast<double>(-k));
    }
    CHECK(batches.waited() >= 0);
  }
}

TEST_CASE("loader: no more batches are made ahead than asked for") {
  const Counting source;
  Prefetcher batches(source, 0, 3, 4);
  for (int i = 0; i < 200 && source.made < 4; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(source.made == 4);
}

TEST_CASE("loader: an exception comes at its batch, after all before it, and again") {
  for (const int threads : {1, 3}) {
    Counting source;
    source.fails_at = 5;
    Prefetcher batches(source, 0, threads);
    for (int k = 0; k < 5; ++k) CHECK(batches.next().input().item() == k);
    for (int again = 0; again < 2; ++again) CHECK(test::fails_with([&] { batches.next(); }, "batch 5 is bad"));
  }
}

TEST_CASE("loader: it can be destroyed at any time") {
  for (int wait = 0; wait < 8; ++wait) {
    const Counting source;
    Prefetcher batches(source, 0, 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
  }
  const Counting source;
  CHECK(test::fails_with([&] { Prefetcher(source, 0, 0); }, "at least one thread"));
  CHECK(test::fails_with([&] { Prefetcher(source, 0, 1, 0); }, "one batch ahead"));
}
