// How well objects that were told apart agree with the true ones: average precision and panoptic quality.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

namespace fovea {

// Objects of both sides that overlap by more than a threshold belong together, one to one: above 0.5 there is one partner at most.
struct ObjectCounts {
  double both = 0, only_found = 0, only_true = 0;
  double iou = 0;  // sum over the pairs

  double f1() const;  // 2 both / (2 both + the others); 1 where there is nothing and nothing was found
  double ap() const;  // both / (both + the others), pooled over objects, as for DSB 2018; 1 likewise
};

class ObjectMetrics {
 public:
  static constexpr int kThresholds = 10;  // 0.5, 0.55, ..., 0.95
  // CV_32S, the object's number, 0 where there is none.
  void add(const cv::Mat& found, const cv::Mat& truth);

  const ObjectCounts& at(int threshold) const { return pooled_[static_cast<std::size_t>(threshold)]; }
  double mean_ap() const;  // over the thresholds
  // Kirillov et al. 2018, arXiv:1801.00868, at 0.5: the mean overlap of the pairs times F1.
  double panoptic_quality() const;
  std::array<double, 2> f1_interval() const;  // 95 %, at 0.5, of 1000 resamples of the pictures
  nlohmann::ordered_json json() const;

 private:
  std::array<ObjectCounts, kThresholds> pooled_{};
  std::vector<ObjectCounts> pictures_;  // at 0.5
};

}  // namespace fovea
