// Boxes with their names over the picture.
#pragma once

#include <cstddef>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/boxes/box.hpp"
#include "datasets/image.hpp"

namespace fovea {

struct DrawnBox {
  Box box;                 // in pixels of the picture; what lies beside it, or has no area, is not drawn
  std::string text = {};   // on a tag; without one there is none. UTF-8, drawn as `drawable` says
  std::size_t colour = 0;  // of label_colour
  bool dashed = false;     // for what is ignored
};

// "RBC" in its class's colour, dashed where it is ignored; "RBC 0.87". Labels count `classes`; others are named by their
// number.
DrawnBox drawn(const Annotation& annotation, const std::vector<std::string>& classes);
DrawnBox drawn(const Detection& detection, const std::vector<std::string>& classes);

// 8-bit BGR of the image's size. Lines and text follow the picture's size. Lines are rimmed with black and tags filled, to be
// seen on any ground. Tags stay inside the picture, shortened where they must be, and lie beside each other while there is
// room; in pictures that are too small for text there are none. Large boxes are drawn first.
cv::Mat box_overlay(const Image& image, const std::vector<DrawnBox>& boxes);

}  // namespace fovea
