// How an image is cut so that a network with a large receptive field runs over it in bounded memory.
#pragma once

#include <cstddef>
#include <opencv2/core.hpp>
#include <vector>

namespace fovea {

// The network sees `window`; of its result only `core` is kept. Both in input pixels of the whole image.
struct Tile {
  cv::Rect window, core;
};

// Cores of at most `core` pixels a side cover the image exactly once and differ by at most one pixel, so there are no slivers.
// Every window has the same size (one set of network primitives for all), holds `halo` pixels around its core wherever the
// image has them, and ends where the image ends. Error: an empty image, a core below 1, a negative halo.
std::vector<Tile> plan_tiles(cv::Size image, cv::Size core, int halo);

// The largest core whose window stays within `pixels`, the whole image where that fits. A narrow image gets long tiles.
// A halo that leaves no room within `pixels` gets cores of its own width: smaller ones would compute mostly halo.
cv::Size choose_core(cv::Size image, int halo, std::size_t pixels);

// Windows of at most `side` pixels from which statistics of the whole image are taken: a cover of the image where `count` are
// enough, else `count` of them spread evenly (and the same for the same size of image).
std::vector<cv::Rect> sample_windows(cv::Size image, int side, int count);

}  // namespace fovea
