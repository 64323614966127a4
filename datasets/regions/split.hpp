// Masks into numbered regions.
#pragma once

#include <opencv2/core.hpp>

namespace fovea {

// Regions are numbered from 1 in the order of their first pixel, row by row; 0 belongs to none. All maps are CV_32S.

// Pixels that touch, also by a corner, are one region. mask: u8, not 0 where it is.
cv::Mat connected_regions(const cv::Mat& mask);

// Objects that touch each other: each connected part of the mask where `distance` (f32, 1 in the middle of an object, 0 at its edge) is at least `middle` grows
// over the mask, pixels of large distance first, until it meets another. Parts of the mask without such a middle are regions of their own.
cv::Mat separated_objects(const cv::Mat& mask, const cv::Mat& distance, double middle);

// Without those of fewer pixels.
cv::Mat without_small(const cv::Mat& regions, double least_area);

}  // namespace fovea
