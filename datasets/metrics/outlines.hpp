// Distances between the outlines of two regions, in two or three dimensions.
#pragma once

#include <array>
#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <vector>

namespace fovea {

// For every cell of a grid the Euclidean distance to the nearest cell that is marked (not 0), with `spacing` between neighbours of each axis; infinite
// where nothing is marked. Felzenszwalb and Huttenlocher 2012.
std::vector<double> distance_to_marked(const std::vector<std::uint8_t>& marked, const std::array<int, 3>& size,
                                       const std::array<double, 3>& spacing);

struct OutlineDistances {
  double hd95 = 0;  // the 95th percentile of the distances from either outline to the other: the larger of the two directions
  double mean = 0;  // average symmetric surface distance: over all outline cells of both
};
// slices: u8, not 0 where the region is; one of them for a picture. A cell is on the outline where a neighbour along an axis is outside of the region or of the
// grid. Nothing where either is empty.
std::optional<OutlineDistances> outline_distances(const std::vector<cv::Mat>& a, const std::vector<cv::Mat>& b,
                                                  const std::array<double, 3>& spacing);

}  // namespace fovea
