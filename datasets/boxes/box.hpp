// Rectangles of objects on a picture, and what is said of them: by people or files (Annotation), by a network (Detection).
//
// A box has corner form, in pixels of the picture, with real numbers: x1 = 0 is the left edge of the picture's first column, x2 = width the
// right edge of its last one. COCO's [x, y, width, height] is the same plane; datasets/preprocess.hpp counts from the middle of the first
// pixel, half a pixel further (on_pixels, from_pixels).
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

namespace fovea {

struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;

  double width() const { return x2 - x1; }
  double height() const { return y2 - y1; }
  double area() const { return width() * height(); }
  bool operator==(const Box&) const = default;
};

// Whether all four are finite and it has a width and a height.
bool is_valid(const Box& box);
// The part of it that lies on the picture; of no area where it lies beside it.
Box clipped(const Box& box, cv::Size picture);
double intersection(const Box& a, const Box& b);
// Intersection over union; 0 where both have no area.
double iou(const Box& a, const Box& b);

inline Box to_box(const cv::Rect2d& r) { return {r.x, r.y, r.x + r.width, r.y + r.height}; }
inline cv::Rect2d to_rect(const Box& b) { return {b.x1, b.y1, b.width(), b.height()}; }
// Width x height, of `written`, as a file gave them, where the box is still the one that they lead to: corners hold them up to
// rounding only.
double written_area(const Box& box, cv::Size2d written);
// The whole pixels that it touches.
cv::Rect to_pixels(const Box& box);
// As Geometry counts: (0, 0) is the middle of the first pixel.
inline cv::Rect2d on_pixels(const Box& b) { return {b.x1 - 0.5, b.y1 - 0.5, b.width(), b.height()}; }
inline Box from_pixels(const cv::Rect2d& r) { return {r.x + 0.5, r.y + 0.5, r.x + 0.5 + r.width, r.y + 0.5 + r.height}; }

// An object that is there.
struct Annotation {
  Box box;
  std::int64_t label = 0;   // index into the classes of its data
  bool ignored = false;     // a region of many, or an uncertain or difficult object: neither to be found nor background
  double area = -1;         // of the object's pixels, where a mask says it; below 0: the box's
  cv::Size2d written = {};  // the box's width and height, where a file gave them and the corners differ in the last digit

  double object_area() const { return area >= 0 ? area : box.area(); }
  bool operator==(const Annotation& o) const {  // `written` says the same as the corners
    return box == o.box && label == o.label && ignored == o.ignored && area == o.area;
  }
};

// An object that a network found.
struct Detection {
  Box box;
  std::int64_t label = 0;
  double score = 0;         // 0..1
  cv::Size2d written = {};  // as of an annotation

  bool operator==(const Detection& o) const { return box == o.box && label == o.label && score == o.score; }
};
using Detections = std::vector<Detection>;  // of one picture

}  // namespace fovea
