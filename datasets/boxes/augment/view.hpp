// One picture, or a part of it, on the canvas that a network sees: where each pixel and each box goes.
#pragma once

#include "datasets/boxes/augment.hpp"

namespace fovea {

// What both cover; not valid where that is nothing.
Box common(const Box& a, const Box& b);

struct View {
  cv::Size source;  // of the picture
  bool transposed = false, mirrored = false,
       upside_down = false;  // done in this order: the eight turns and reflections of a rectangle
  cv::Rect whole;            // where all of the picture lies on the canvas; it may stick out of `cell`
  cv::Rect cell;             // the part of the canvas where it is shown

  cv::Rect window() const { return whole & cell; }
  Box to_canvas(const Box& on_source) const;
};

// A random size, turn and place of the picture in the cell of a canvas of p's size.
View draw_view(const BoxPicture& picture, const cv::Rect& cell, const Preprocess& p, const BoxAugment& a, Random& random);

// Draws the window of the view on a u8 BGR canvas that it lies on: one interpolation, of means where it shrinks to half or
// less.
void show(const cv::Mat& pixels, const View& view, cv::Mat& canvas);

// The boxes that lie in the window, in pixels of the canvas, by the rule of min_visible.
std::vector<Annotation> in_sight(const std::vector<Annotation>& annotations, const View& view, double min_visible);

// A view drawn, shown, its colours changed, its boxes added.
void add_view(BoxPicture& canvas, const BoxPicture& picture, const View& view, const BoxAugment& a, Random& random);

}  // namespace fovea
