#include "pipeline/tasks/detect/windows.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

using Part = WindowBoxes::Part;

constexpr double kTouches = 3;         // pixels from the edge of a window at which a box counts as cut
constexpr double kMostlyInside = 0.6;  // share of a part that lies in a whole box of the same object
constexpr double kSameExtent = 0.5;    // of two parts beside each other, along their common edge

std::vector<int> starts(int length, int side, double overlap) {
  if (length <= side) return {0};
  const int count = static_cast<int>(std::ceil((length - side) / (side * (1 - overlap)))) + 1;
  std::vector<int> out;
  for (int i = 0; i < count; ++i)
    out.push_back(static_cast<int>(std::lround(static_cast<double>(length - side) * i / (count - 1))));
  return out;
}

double interval_iou(double a1, double a2, double b1, double b2) {
  const double both = std::min(a2, b2) - std::max(a1, b1);
  return both > 0 ? both / (std::max(a2, b2) - std::min(a1, b1)) : 0;
}

// Whether b goes on to the right of a: both are cut where the other one goes on, at like heights.
bool goes_on_right(const Part& a, const Part& b) {
  const Box &p = a.found.box, &q = b.found.box;
  return a.right && b.left && q.x1 <= p.x2 && p.x1 <= q.x1 + kTouches && p.x2 <= q.x2 + kTouches &&
         interval_iou(p.y1, p.y2, q.y1, q.y2) > kSameExtent;
}
bool goes_on_below(const Part& a, const Part& b) {
  const Box &p = a.found.box, &q = b.found.box;
  return a.bottom && b.top && q.y1 <= p.y2 && p.y1 <= q.y1 + kTouches && p.y2 <= q.y2 + kTouches &&
         interval_iou(p.x1, p.x2, q.x1, q.x2) > kSameExtent;
}

bool are_one(const Part& a, const Part& b) {
  if (a.found.label != b.found.label) return false;
  return goes_on_right(a, b) || goes_on_right(b, a) || goes_on_below(a, b) || goes_on_below(b, a);
}

// What is cut on the outside of the two stays cut.
Part joined(const Part& a, const Part& b) {
  const Box &p = a.found.box, &q = b.found.box;
  Part out;
  out.found = a.found.score >= b.found.score ? a.found : b.found;
  out.found.box = {std::min(p.x1, q.x1), std::min(p.y1, q.y1), std::max(p.x2, q.x2), std::max(p.y2, q.y2)};
  out.left = p.x1 < q.x1 ? a.left : b.left, out.right = p.x2 > q.x2 ? a.right : b.right;
  out.top = p.y1 < q.y1 ? a.top : b.top, out.bottom = p.y2 > q.y2 ? a.bottom : b.bottom;
  return out;
}

// One pass over all pairs. Gives whether any went on in each other: the joined ones may go on in others then.
bool join_once(std::vector<Part>& parts) {
  const std::size_t before = parts.size();
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t j = i + 1; j < parts.size();) {
      if (!are_one(parts[i], parts[j])) {
        ++j;
        continue;
      }
      parts[i] = joined(parts[i], parts[j]);
      parts[j] = parts.back();
      parts.pop_back();
    }
  return parts.size() < before;
}

}  // namespace

std::vector<cv::Rect> windows_over(cv::Size picture, int side, double overlap) {
  if (picture.width <= side && picture.height <= side) return {};
  std::vector<cv::Rect> windows;
  for (const int y : starts(picture.height, side, overlap))
    for (const int x : starts(picture.width, side, overlap))
      windows.emplace_back(x, y, std::min(side, picture.width), std::min(side, picture.height));
  return windows;
}

void WindowBoxes::add(const cv::Rect& w, const Detections& detections) {
  for (const Detection& d : detections) {
    const Box& b = d.box;
    Part part{.found = d,
              .left = w.x > 0 && b.x1<kTouches, .top = w.y> 0 && b.y1 < kTouches,
              .right = w.x + w.width < picture_.width && b.x2 > w.width - kTouches,
              .bottom = w.y + w.height < picture_.height && b.y2 > w.height - kTouches};
    part.found.box = {b.x1 + w.x, b.y1 + w.y, b.x2 + w.x, b.y2 + w.y};
    if (part.whole()) whole_.push_back(part.found);
    else parts_.push_back(part);
  }
}

Detections WindowBoxes::result() const {
  Detections found = whole_;
  std::vector<Part> parts = parts_, cut;
  while (join_once(parts)) {}
  for (const Part& part : parts) {
    if (part.whole()) found.push_back(part.found);
    else cut.push_back(part);
  }
  Detections kept = suppress(found, suppression_);
  Detections rest;
  for (const Part& part : cut) {
    const bool inside = std::any_of(kept.begin(), kept.end(), [&](const Detection& d) {
      return d.label == part.found.label && intersection(d.box, part.found.box) > kMostlyInside * part.found.box.area();
    });
    if (!inside) rest.push_back(part.found);
  }
  rest = suppress(rest, suppression_);
  kept.insert(kept.end(), rest.begin(), rest.end());
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  if (kept.size() > suppression_.most) kept.resize(suppression_.most);
  return kept;
}

}  // namespace fovea
