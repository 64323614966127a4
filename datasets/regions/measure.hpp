// Sizes of regions, in pixels and, where the spacing is known, in millimetres.
#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <vector>

#include "datasets/scans/scan.hpp"

namespace fovea {

// One region on one picture.
struct RegionMeasure {
  int number = 0;      // in the map of regions
  cv::Point first;     // one of its pixels
  cv::Rect box;        // pixels
  cv::Point2d centre;  // mean of its pixels' centres
  double pixels = 0;
  // In pixels, and in mm where the spacing is known: the longest distance between two points of its outline, pixels' edges included; the length of its centre
  // lines, which is that of a vessel.
  double diameter = 0, length = 0;
  std::optional<double> area_mm2, diameter_mm, length_mm;
  double mean = 0, deviation = 0, least = 0, most = 0;  // of the values under it, in their own unit; colours by their mean
  double confidence = 0;                                // mean probability
  double uncertainty = 0;                               // mean spread; 0 where nobody looked twice
};

// regions: CV_32S, 0 for none. values: of one size with it, any depth; probability: f32; spread: f32 or empty.
std::vector<RegionMeasure> measure_regions(const cv::Mat& regions, const cv::Mat& values, const cv::Mat& probability,
                                           const cv::Mat& spread, const std::optional<PixelSpacing>& spacing);

// The centre lines of a mask (u8, not 0 where it is), one pixel wide: Zhang and Suen 1984. u8, 255.
cv::Mat centre_lines(const cv::Mat& mask);

// Numbers regions that overlap on neighbouring pictures alike, over a whole volume, in the order of their first pixels.
void join_slices(std::vector<cv::Mat>& regions);

}  // namespace fovea
