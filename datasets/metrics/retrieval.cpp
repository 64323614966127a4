#include "datasets/metrics/retrieval.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/budget.hpp"

namespace fovea {
namespace {

nlohmann::ordered_json json_of(const Recalls& r) {
  return {{"recall_at_1", r.at_1}, {"recall_at_5", r.at_5}, {"recall_at_10", r.at_10}, {"median_rank", r.median_rank}};
}

std::string line_of(const char* name, const Recalls& r) {
  return fmt::format("{:<16} {:>8} {:>8.4f} {:>8.4f} {:>8.4f} {:>12g}\n", name, r.queries, r.at_1, r.at_5, r.at_10,
                     r.median_rank);
}

}  // namespace

Recalls recalls_of(std::vector<std::int64_t> ranks) {
  check(!ranks.empty(), "recalls: there is nothing to measure");
  Recalls r;
  r.queries = ranks.size();
  const auto share = [&](std::int64_t k) {
    return static_cast<double>(std::count_if(ranks.begin(), ranks.end(), [k](std::int64_t rank) { return rank <= k; })) /
           static_cast<double>(ranks.size());
  };
  r.at_1 = share(1), r.at_5 = share(5), r.at_10 = share(10);
  std::sort(ranks.begin(), ranks.end());
  r.median_rank = (static_cast<double>(ranks[(ranks.size() - 1) / 2]) + static_cast<double>(ranks[ranks.size() / 2])) / 2;
  return r;
}

RetrievalMetrics::RetrievalMetrics(std::vector<std::size_t> pictures_of_captions, std::size_t pictures)
    : owner_(std::move(pictures_of_captions)), pictures_(pictures) {
  std::vector<bool> has(pictures, false);
  for (const std::size_t p : owner_) has.at(p) = true;
  check(pictures > 0 && std::find(has.begin(), has.end(), false) == has.end(), "recalls: a picture has no caption");
  check_memory(std::uint64_t{pictures} * owner_.size() * sizeof(float), memory_limit(),
               "the scores of all pictures and captions");
  scores_.reserve(pictures * owner_.size());
}

void RetrievalMetrics::add(std::span<const float> scores) {
  check(scores.size() == owner_.size() && added_ < pictures_, "recalls: expected ", owner_.size(), " scores for each of ",
        pictures_, " pictures, got ", scores.size());
  for (const float s : scores) check(!std::isnan(s), "recalls: a score is not a number");
  scores_.insert(scores_.end(), scores.begin(), scores.end());
  ++added_;
}

Recalls RetrievalMetrics::captions_by_picture() const {
  std::vector<std::int64_t> ranks;
  for (std::size_t p = 0; p < pictures_; ++p) {
    const std::span<const float> row(&scores_[p * owner_.size()], owner_.size());
    float best = -std::numeric_limits<float>::infinity();
    for (std::size_t c = 0; c < row.size(); ++c)
      if (owner_[c] == p) best = std::max(best, row[c]);
    std::int64_t rank = 1;
    for (std::size_t c = 0; c < row.size(); ++c) rank += owner_[c] != p && row[c] >= best;
    ranks.push_back(rank);
  }
  return recalls_of(std::move(ranks));
}

Recalls RetrievalMetrics::pictures_by_caption() const {
  std::vector<std::int64_t> ranks(owner_.size(), 1);
  for (std::size_t p = 0; p < pictures_; ++p)
    for (std::size_t c = 0; c < owner_.size(); ++c)
      ranks[c] += p != owner_[c] && scores_[p * owner_.size() + c] >= scores_[owner_[c] * owner_.size() + c];
  return recalls_of(std::move(ranks));
}

std::string RetrievalMetrics::table() const {
  return fmt::format("{:<16} {:>8} {:>8} {:>8} {:>8} {:>12}\n", "", "queries", "R@1", "R@5", "R@10", "median rank") +
         line_of("image to text", captions_by_picture()) + line_of("text to image", pictures_by_caption()) +
         fmt::format("sum of recalls {:.4f} of 6\n", recall_sum());
}

nlohmann::ordered_json RetrievalMetrics::json() const {
  return {{"image_to_text", json_of(captions_by_picture())},
          {"text_to_image", json_of(pictures_by_caption())},
          {"recall_sum", recall_sum()},
          {"pictures", pictures_},
          {"captions", owner_.size()}};
}

}  // namespace fovea
