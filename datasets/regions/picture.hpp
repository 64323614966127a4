// A picture with its regions in memory, in the pixels that a network sees.
#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <vector>

#include "datasets/regions/files.hpp"
#include "datasets/scans/scan.hpp"
#include "modules/preprocess.hpp"

namespace fovea {

struct RegionTruth {
  std::vector<cv::Mat> masks;  // u8, one a class: 1 where the class is
  std::vector<cv::Mat>
      objects;  // CV_32S, one a class: the number of the object, 0 where there is none; empty where nothing tells them apart
};

struct RegionPicture {
  RegionFiles files;
  cv::Mat values;  // f32 in 0..1, 1 channel or 3 (BGR), or as many neighbouring slices as the network has channels
  RegionTruth truth;
  std::optional<PixelSpacing> spacing = {};
};

// In their own pixels: one picture, or each slice of a volume. Error for files that do not fit each other.
std::vector<RegionPicture> read_region_picture(const RegionFiles& files, const Preprocess& p);

struct RegionPictures {
  std::vector<RegionPicture> all;
  std::vector<BadFile> bad;
};
RegionPictures read_region_pictures(const std::vector<RegionFiles>& files, const Preprocess& p);

// The same picture as `preprocess` shows it to the network, without the border of a letterbox. A pixel belongs to a class where at least half of it does.
RegionPicture fitted(const RegionPicture& picture, const Preprocess& p);

// How far each pixel is from the edge of its object, as a share of the object's largest such distance: 0 outside, 1 in the middle. f32.
cv::Mat object_distance(const cv::Mat& objects);
// The distance in pixels to the edge of a mask (u8, 0 or 1), below 0 inside; all alike, and its size, where there is no edge. f32.
cv::Mat signed_distance(const cv::Mat& mask);

}  // namespace fovea
