#include "datasets/metrics/retrieval.hpp"

#include <algorithm>
#include <numeric>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

// By sorting, which the metrics do not: the rank of the first right answer among all, wrong ones first where they are equal.
std::int64_t rank_of(const std::vector<float>& scores, const std::vector<bool>& right) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : right[a] < right[b]; });
  for (std::size_t i = 0; i < order.size(); ++i)
    if (right[order[i]]) return static_cast<std::int64_t>(i) + 1;
  return -1;
}

void check_same(const Recalls& r, const std::vector<std::int64_t>& ranks) {
  std::vector<double> sorted(ranks.begin(), ranks.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n = sorted.size();
  CHECK(r.queries == n);
  CHECK(r.median_rank == (n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2));
  const auto within = [&](double k) {
    return static_cast<double>(std::upper_bound(sorted.begin(), sorted.end(), k) - sorted.begin()) / static_cast<double>(n);
  };
  CHECK(r.at_1 == within(1));
  CHECK(r.at_5 == within(5));
  CHECK(r.at_10 == within(10));
}

}  // namespace

TEST_CASE("recalls: five captions a picture, as sorting all answers counts them, ties against the model") {
  constexpr std::size_t kPictures = 23, kEach = 5;
  std::vector<std::size_t> owner;
  for (std::size_t c = 0; c < kPictures * kEach; ++c) owner.push_back(c / kEach);
  for (const std::int64_t levels : {7, 1000000}) {  // few levels: many scores are equal
    Random random(3, static_cast<std::uint64_t>(levels));
    RetrievalMetrics metrics(owner, kPictures);
    std::vector<std::vector<float>> rows;
    for (std::size_t p = 0; p < kPictures; ++p) {
      rows.emplace_back();
      for (std::size_t c = 0; c < owner.size(); ++c)
        rows.back().push_back(static_cast<float>(random.below(levels) + (owner[c] == p ? levels / 3 : 0)));
      CHECK(!metrics.complete());
      metrics.add(rows.back());
    }
    CHECK(metrics.complete());
    std::vector<std::int64_t> texts, pictures;
    for (std::size_t p = 0; p < kPictures; ++p) {
      std::vector<bool> right;
      for (const std::size_t o : owner) right.push_back(o == p);
      texts.push_back(rank_of(rows[p], right));
    }
    for (std::size_t c = 0; c < owner.size(); ++c) {
      std::vector<float> column;
      std::vector<bool> right;
      for (std::size_t p = 0; p < kPictures; ++p) column.push_back(rows[p][c]), right.push_back(owner[c] == p);
      pictures.push_back(rank_of(column, right));
    }
    check_same(metrics.captions_by_picture(), texts);
    check_same(metrics.pictures_by_caption(), pictures);
    CHECK(metrics.recall_sum() == metrics.captions_by_picture().sum() + metrics.pictures_by_caption().sum());
    CHECK(metrics.json().at("text_to_image").at("recall_at_5") == metrics.pictures_by_caption().at_5);
  }
}

TEST_CASE("recalls: a model that finds all alike finds nothing") {
  RetrievalMetrics metrics({0, 1, 2}, 3);
  for (int p = 0; p < 3; ++p) metrics.add(std::vector<float>(3, 0.5F));
  CHECK(metrics.captions_by_picture().at_1 == 0);
  CHECK(metrics.pictures_by_caption().median_rank == 3);
}

TEST_CASE("recalls: what cannot be measured is an error") {
  CHECK(fails_with([] { RetrievalMetrics({0, 0}, 2); }, "a picture has no caption"));
  CHECK(fails_with([] { RetrievalMetrics({}, 0); }, "a picture has no caption"));
  CHECK(fails_with([] { RetrievalMetrics({0}, 1).add(std::vector<float>{1, 2}); }, "expected 1 scores"));
  CHECK(fails_with([] { RetrievalMetrics({0}, 1).add(std::vector<float>{std::nanf("")}); }, "not a number"));
  CHECK(fails_with([] { recalls_of({}); }, "nothing to measure"));
}
