// Random changes to pictures with regions: one warp of picture and truth together, then what changes the values alone.
#pragma once

#include <opencv2/core.hpp>
#include <optional>

#include "datasets/regions/picture.hpp"
#include "modules/core/random.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {

struct RegionAugment {
  double flip = 0, flip_vertical = 0;    // probabilities; off unless the anatomy allows it
  bool rotate90 = false;                 // a quarter turn, any of four
  double rotate = 0;                     // degrees, to either side
  double scale_low = 1, scale_high = 1;  // how much larger things become
  double shift = 0;                      // of the crop's sides, where the whole picture is seen
  double elastic = 0;                    // standard deviation of the displacements, in pixels; Simard et al. 2003
  double elastic_grid = 32;              // pixels between independent displacements
  double gamma = 0, contrast = 0,
         brightness = 0;  // exponents from 1 / (1 + v) to 1 + v, factors from 1 - v to 1 + v, added -v to v
  double noise = 0;       // the largest standard deviation of normal noise
  double blur = 0;        // the largest sigma, in pixels
  double bias_field = 0;  // a smooth field of factors from 1 - v to 1 + v, as coils of MR make
  double invert = 0;      // probability
};
RegionAugment read_region_augment(Args& args);

// Where each pixel of a crop comes from, in pixels of the picture: CV_32FC2 of the crop's size, around `centre`.
cv::Mat random_warp(cv::Size crop, cv::Point2d centre, const RegionAugment& a, Random& random);
// What lies outside of the picture has the colour `border`, or without one mirrors the picture.
cv::Mat warped_values(const cv::Mat& values, const cv::Mat& warp, const std::optional<cv::Scalar>& border);
cv::Mat warped_mask(const cv::Mat& mask, const cv::Mat& warp, const std::optional<cv::Scalar>& border);

// f32 in 0..1, in place.
void change_values(cv::Mat& values, const RegionAugment& a, Random& random);

}  // namespace fovea
