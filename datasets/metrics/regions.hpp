// How well probabilities of regions agree with the truth, a class: overlap at a threshold, the curves over all thresholds, distances between the outlines,
// calibration. Probabilities are counted in 65536 steps.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

// Pixels.
struct Confusion {
  double both = 0, only_found = 0, only_true = 0, neither = 0;

  Confusion& operator+=(const Confusion& o);
  double dice() const;         // 2 both / (2 both + the two others): F1; 1 where there is nothing and nothing was found
  double iou() const;          // both / either; 1 likewise
  double sensitivity() const;  // of what is true, found; 1 where nothing is
  double specificity() const;  // of what is not, not found; 1 where all is
  double precision() const;    // of what was found, true; 1 where nothing was
};

struct RegionScores {
  std::string name;
  int pictures = 0;
  Confusion pooled;                                               // over all pixels
  double dice = 0, iou = 0;                                       // means over the pictures
  double dice_spread = 0;                                         // standard deviation of the pictures' Dice
  std::array<double, 2> dice_interval{}, pooled_dice_interval{};  // 95 %, of resampled pictures
  double roc_auc = 0, pr_auc = 0;                                 // not a number where the class is nowhere, or everywhere
  double best_threshold = 0.5, best_dice = 0;                     // the threshold of the largest pooled Dice
  double ece = 0;                                                 // expected calibration error of the pixels, 15 bins
  // Between outlines, means over the pictures where both have the class; of how many. In mm where every picture has a spacing.
  double hd95 = 0, mean_distance = 0;
  int outlines = 0;
  bool in_mm = false;
};

class RegionMetrics {
 public:
  // `outlines`: whether the distances between them are measured, which takes longer than all the rest.
  RegionMetrics(std::vector<std::string> classes, std::vector<double> thresholds, bool outlines = true);

  // probabilities: f32, one a class; truth: u8, not 0 where the class is; `where`: u8, pixels that count, empty for all. spacing: mm from row to row and from
  // column to column.
  void add(const std::vector<cv::Mat>& probabilities, const std::vector<cv::Mat>& truth, const cv::Mat& where = {},
           std::optional<std::array<double, 2>> spacing = {});
  int pictures() const { return pictures_; }
  // Resampled 1000 times from a fixed seed.
  std::vector<RegionScores> scores() const;
  double mean_dice() const;  // over the classes, of the pictures' means

 private:
  struct PerClass {
    std::string name;
    double threshold = 0.5;
    std::vector<Confusion> pictures;
    std::vector<std::uint32_t> right, wrong;  // pixels of each probability that have the class, and that have not
    std::vector<std::array<double, 2>> distances;
  };
  std::vector<PerClass> classes_;
  int pictures_ = 0;
  bool outlines_, in_mm_ = true;
};

nlohmann::ordered_json json_of(const RegionScores& s);

}  // namespace fovea
