#include "pipeline/tasks/highlight/coreset.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/tasks/highlight/patch_sample.hpp"
#include "pipeline/tasks/highlight/whitening.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

const auto kOn = [](double) { return true; };

Tensor rows_of(std::int64_t n, std::int64_t d, std::uint64_t seed) { return random_tensor({n, d}, seed).to(DType::f32); }

double squared(const std::vector<double>& rows, std::size_t d, std::int64_t a, std::int64_t b) {
  double sum = 0;
  for (std::size_t i = 0; i < d; ++i)
    sum += std::pow(rows[static_cast<std::size_t>(a) * d + i] - rows[static_cast<std::size_t>(b) * d + i], 2);
  return sum;
}

// By its definition: the row whose nearest chosen one is the farthest.
std::vector<std::int64_t> naive(const Tensor& rows, std::int64_t first, std::size_t count) {
  const std::vector<double> values = rows.values();
  const auto d = static_cast<std::size_t>(rows.dim(1));
  std::vector<std::int64_t> chosen{first};
  while (chosen.size() < count) {
    std::int64_t best = -1;
    double most = -1;
    for (std::int64_t r = 0; r < rows.dim(0); ++r) {
      double nearest = INFINITY;
      for (const std::int64_t c : chosen) nearest = std::min(nearest, squared(values, d, r, c));
      if (nearest > most) most = nearest, best = r;
    }
    chosen.push_back(best);
  }
  return chosen;
}

}  // namespace

TEST_CASE("coreset: greedy k-center as it is defined, on any number of threads") {
  const Tensor rows = rows_of(5000, 7, 2);  // more than one job takes
  const auto chosen = k_center(rows, 25, 9, kOn);
  CHECK(chosen == naive(rows, chosen.front(), 25));
  {
    const ThreadScope one(1);
    CHECK(k_center(rows, 25, 9, kOn) == chosen);
  }
  CHECK(k_center(rows, 25, 10, kOn).front() != chosen.front());
}

TEST_CASE("coreset: no row twice, and an end when it is told") {
  Tensor rows = Tensor::zeros({50, 3});
  for (std::int64_t r = 0; r < 50; ++r) rows.slice(0, r, r + 1).fill(static_cast<double>(r % 4));
  auto chosen = k_center(rows, 10, 1, kOn);
  REQUIRE(chosen.size() == 4);  // of each value one
  for (auto& r : chosen) r %= 4;
  std::sort(chosen.begin(), chosen.end());
  CHECK(chosen == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(k_center(rows_of(3, 2, 1), 10, 1, kOn).size() == 3);
  int heard = 0;
  CHECK(k_center(rows_of(100, 2, 1), 50, 1, [&](double) { return ++heard < 5; }).empty());
  CHECK(heard == 5);
}

TEST_CASE("coreset: projected distances are about those of the rows") {
  const Tensor rows = rows_of(40, 600, 3), small = random_projection(rows, 128, 5);
  REQUIRE(small.shape() == Shape{40, 128});
  const auto a = rows.values(), b = small.values();
  // A squared length of 128 normal products has a deviation of sqrt(2 / 128) = 1/8 of it: six of these, for 780 pairs.
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t k = 0; k < i; ++k) CHECK(squared(b, 128, i, k) / squared(a, 600, i, k) == Approx(1).margin(6.0 / 8));
  CHECK(random_projection(rows, 600, 5).shares_storage(rows));
  CHECK(max_difference(random_projection(rows, 128, 5), small) == 0);
}

TEST_CASE("patch sample: all where there is room, else each as likely") {
  constexpr int kAll = 4000, kMost = 500;
  PatchSample few(2, kMost, 1), all(2, kAll, 1);
  for (int i = 0; i < kAll; ++i) {
    const float v[] = {static_cast<float>(i), 5};
    few.add(v, i / 1000), all.add(v, i / 1000);
  }
  CHECK(few.seen() == kAll);
  CHECK(few.size() == kMost);
  CHECK(all.size() == kAll);
  CHECK(max_difference(all.rows().slice(1, 0, 1).slice(0, 7, 8), Tensor::full({1, 1}, 7)) == 0);
  // Of each thousand about 125: hypergeometric, 9.1 to either side in the deviation.
  for (int part = 0; part < 4; ++part)
    CHECK(static_cast<double>(std::count(few.pictures().begin(), few.pictures().end(), part)) == Approx(125).margin(5 * 9.1));
}

TEST_CASE("whitening: vectors get the covariance of unit noise") {
  // Correlated, of very unlike sizes, around no zero.
  Tensor rows = rows_of(9000, 5, 4);
  float* at = rows.data<float>();
  for (std::int64_t r = 0; r < rows.dim(0); ++r, at += 5)
    at[1] += at[0], at[2] = 3 + 2 * at[2] - at[1], at[3] = 50 + 4 * at[3], at[4] = at[4] + 0.5f * at[3];
  const Whitening w = whitening_of(rows);
  const auto moments = [](const Tensor& of) {
    const std::vector<double> v = of.values();
    std::vector<double> mean(5), out(25);
    for (std::size_t i = 0; i < v.size(); ++i) mean[i % 5] += v[i] / 9000;
    for (std::size_t r = 0; r < 9000; ++r)
      for (std::size_t i = 0; i < 25; ++i) out[i] += (v[r * 5 + i / 5] - mean[i / 5]) * (v[r * 5 + i % 5] - mean[i % 5]) / 9000;
    return out;
  };
  const std::vector<double> before = moments(rows), after = moments(w(rows)), weights = w.weights.values();
  double added = 0;
  for (std::size_t c = 0; c < 5; ++c) added += 0.01 * before[c * 6] / 5;
  // W (S + added) W' is 1: what is lost of it is what was added.
  for (std::size_t a = 0; a < 5; ++a)
    for (std::size_t b = 0; b < 5; ++b) {
      double of_added = 0;
      for (std::size_t k = 0; k < 5; ++k) of_added += added * weights[a * 5 + k] * weights[b * 5 + k];
      CHECK(after[a * 5 + b] + of_added == Approx(a == b ? 1 : 0).margin(1e-4));  // f32: 50 of a deviation of 4, squared
    }
  for (std::size_t c = 0; c < 5; ++c) CHECK(after[c * 6] > 0.8);
  // Rows that are alike, and a channel that is everywhere the same, are no reason to fail.
  const Tensor alike = Tensor::full({10, 3}, 7);
  for (const double v : whitening_of(alike)(alike).values()) CHECK(v == 0);
  Tensor dead = rows_of(100, 3, 5);
  dead.slice(1, 1, 2).fill(2);
  for (const double v : whitening_of(dead)(dead).values()) CHECK(std::isfinite(v));
}
