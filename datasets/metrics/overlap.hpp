// How well label maps overlap: Dice and intersection over union of each class, over all pixels of all pictures.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace fovea {

class OverlapMetrics {
 public:
  // With one class labels are 1 for it and 0 for everything else, and that one is measured; with more every class is.
  explicit OverlapMetrics(std::vector<std::string> classes);

  // Label maps of one size, u8. Pixels that are 255 in either are left out.
  void add(const cv::Mat& labels, const cv::Mat& truth);

  struct PerClass {
    std::string name;
    std::int64_t both = 0, labelled = 0, true_ = 0;  // pixels
    double dice() const;                             // 2 both / (labelled + true); 1 where neither has the class
    double iou() const;                              // both / either; 1 where neither has the class
  };
  const std::vector<PerClass>& per_class() const { return classes_; }
  double mean_dice() const;
  double mean_iou() const;
  double accuracy() const;  // share of the pixels that are right
  std::int64_t pictures() const { return pictures_; }
  nlohmann::ordered_json json() const;

 private:
  std::size_t of_label(std::uint8_t label) const;

  std::vector<PerClass> classes_;
  std::int64_t pictures_ = 0, pixels_ = 0, right_ = 0;
};

}  // namespace fovea
