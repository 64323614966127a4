#include "datasets/regions/split.hpp"

#include <map>
#include <opencv2/imgproc.hpp>
#include <queue>
#include <tuple>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

// Numbers in the order of first pixels, whatever they were.
cv::Mat renumbered(const cv::Mat& regions) {
  cv::Mat out = cv::Mat::zeros(regions.size(), CV_32S);
  std::map<int, int> numbers;
  for (int y = 0; y < regions.rows; ++y)
    for (int x = 0; x < regions.cols; ++x)
      if (const int id = regions.at<int>(y, x); id != 0)
        out.at<int>(y, x) = numbers.emplace(id, static_cast<int>(numbers.size()) + 1).first->second;
  return out;
}

// Pixels beside a region, those of large distance first, then those that were found first: the order does not depend on the machine.
class Front {
 public:
  Front(const cv::Mat& mask, const cv::Mat& distance, cv::Mat& regions) : mask_(mask), distance_(distance), regions_(regions) {}

  void add_neighbours(cv::Point at) {
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) {
        const cv::Point to(at.x + dx, at.y + dy);
        if (!cv::Rect(cv::Point(), mask_.size()).contains(to) || mask_.at<std::uint8_t>(to) == 0 || regions_.at<int>(to) != 0)
          continue;
        queue_.emplace(distance_.at<float>(to), -(found_++), to.y, to.x, regions_.at<int>(at));
      }
  }
  void grow() {
    while (!queue_.empty()) {
      const auto [distance, order, y, x, region] = queue_.top();
      queue_.pop();
      if (regions_.at<int>(y, x) != 0) continue;
      regions_.at<int>(y, x) = region;
      add_neighbours({x, y});
    }
  }

 private:
  const cv::Mat &mask_, &distance_;
  cv::Mat& regions_;
  std::int64_t found_ = 0;
  std::priority_queue<std::tuple<float, std::int64_t, int, int, int>> queue_;
};

}  // namespace

cv::Mat connected_regions(const cv::Mat& mask) {
  check(mask.type() == CV_8U, "regions: expected a mask of 8 bits");
  cv::Mat regions;
  cv::connectedComponents(mask, regions, 8, CV_32S);
  return renumbered(regions);
}

cv::Mat separated_objects(const cv::Mat& mask, const cv::Mat& distance, double middle) {
  check(mask.type() == CV_8U && distance.type() == CV_32F && mask.size() == distance.size(),
        "regions: expected a mask of 8 bits and 32-bit distances of one size");
  cv::Mat regions = connected_regions(cv::Mat((distance >= middle) & (mask != 0)));
  Front front(mask, distance, regions);
  for (int y = 0; y < mask.rows; ++y)
    for (int x = 0; x < mask.cols; ++x)
      if (regions.at<int>(y, x) != 0) front.add_neighbours({x, y});
  front.grow();
  double most = 0;
  cv::minMaxLoc(regions, nullptr, &most);
  const cv::Mat rest = connected_regions(cv::Mat((regions == 0) & (mask != 0)));
  cv::add(regions, rest + most, regions, rest != 0);
  return renumbered(regions);
}

cv::Mat without_small(const cv::Mat& regions, double least_area) {
  std::map<int, double> areas;
  for (int y = 0; y < regions.rows; ++y)
    for (int x = 0; x < regions.cols; ++x) ++areas[regions.at<int>(y, x)];
  cv::Mat out = regions.clone();
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.cols; ++x)
      if (areas[out.at<int>(y, x)] < least_area) out.at<int>(y, x) = 0;
  return renumbered(out);
}

}  // namespace fovea
