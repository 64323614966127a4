// How well sentences find their pictures and pictures their sentences, as Faghri et al. 2018, arXiv:1707.05612 count it: the share
// of queries of which something right is among the first K answers, and the median rank of the first right answer, from 1. Answers
// that fit as well as the right one stand before it, so that a model that finds all alike finds nothing.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace fovea {

struct Recalls {
  double at_1 = 0, at_5 = 0, at_10 = 0;  // 0..1
  double median_rank = 0;
  std::size_t queries = 0;

  double sum() const { return at_1 + at_5 + at_10; }
};
// Of the ranks of the first right answers, each from 1. Error for none.
Recalls recalls_of(std::vector<std::int64_t> ranks);

class RetrievalMetrics {
 public:
  // Of each caption its picture, from 0; every picture has at least one. OverBudget where all scores take more than
  // memory_limit().
  RetrievalMetrics(std::vector<std::size_t> pictures_of_captions, std::size_t pictures);

  // How well the next picture fits each caption. Error for another number of them, and for NaN.
  void add(std::span<const float> scores);
  bool complete() const { return added_ == pictures_; }

  // Once all pictures are added.
  Recalls captions_by_picture() const;  // each picture looks for its captions, any of which is right
  Recalls pictures_by_caption() const;
  double recall_sum() const { return captions_by_picture().sum() + pictures_by_caption().sum(); }  // 0..6

  std::string table() const;            // for people
  nlohmann::ordered_json json() const;  // "image_to_text", "text_to_image": recalls; "recall_sum", "pictures", "captions"

 private:
  std::vector<std::size_t> owner_;
  std::size_t pictures_, added_ = 0;
  std::vector<float> scores_;  // pictures x captions
};

}  // namespace fovea
