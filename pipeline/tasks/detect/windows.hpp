// Large pictures in windows: small objects are seen at a size that the network knows.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "datasets/boxes/suppress.hpp"

namespace fovea {

// Squares of at most `side` pixels that cover the picture, evenly spread, neighbours overlapping by at least that share of the side.
// None where one covers it all.
std::vector<cv::Rect> windows_over(cv::Size picture, int side, double overlap);

// The boxes of several windows become those of the picture. A box that ends at an edge of its window inside the picture is a part of
// something: parts that go on in each other become one, and one that lies in a whole box of its class for the most part is dropped.
class WindowBoxes {
 public:
  WindowBoxes(cv::Size picture, const Suppression& suppression) : picture_(picture), suppression_(suppression) {}
  void add(const cv::Rect& window, const Detections& detections);  // in the window's pixels
  Detections result() const;

  // A box and at which of its edges a window ended.
  struct Part {
    Detection found;
    bool left = false, top = false, right = false, bottom = false;
    bool whole() const { return !(left || top || right || bottom); }
  };

 private:
  cv::Size picture_;
  Suppression suppression_;
  Detections whole_;         // in the picture's pixels
  std::vector<Part> parts_;  // likewise
};

}  // namespace fovea
