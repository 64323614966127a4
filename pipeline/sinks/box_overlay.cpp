#include "pipeline/sinks/box_overlay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "pipeline/sinks/colours.hpp"
#include "pipeline/sinks/drawn_text.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

// What suits a picture of this size, in pixels.
struct Pen {
  int line = 1, rim = 1, pad = 2, text_line = 1;
  double font = 0.4;

  explicit Pen(cv::Size picture) {
    constexpr double kLine = 0.0032, kText = 0.024;  // shares of the mean side
    constexpr double kTiny = 160, kCapital = 21;     // pixels: of a side, of a capital at font size 1
    const double side = (picture.width + picture.height) / 2.0;
    line = std::max(side < kTiny ? 1 : 2, static_cast<int>(std::lround(kLine * side)));  // not less than the rim takes
    rim = (line + 2) / 3;
    font = std::max(kText * side, 7.0) / kCapital;
    text_line = std::max(1, static_cast<int>(std::lround(1.6 * font)));
    pad = line + 1;
  }
};

std::string name_of(std::int64_t label, const std::vector<std::string>& classes) {
  const auto at = static_cast<std::size_t>(label);
  return label >= 0 && at < classes.size() ? classes[at] : std::to_string(label);
}

std::size_t colour_of(std::int64_t label) { return static_cast<std::size_t>(std::max<std::int64_t>(label, 0)); }

class Overlay {
 public:
  explicit Overlay(const Image& image)
      : out_(displayable(image).clone()), taken_(cv::Mat::zeros(out_.size(), CV_8U)), pen_(out_.size()) {}

  bool shows(const Box& box) const { return is_valid(box) && clipped(box, out_.size()).area() > 0; }

  void add_lines(const DrawnBox& b) {
    const std::vector<cv::Rect> pieces = pieces_of(frame(b.box), b.dashed);
    for (const cv::Rect& p : pieces) {
      const cv::Point rim(pen_.rim, pen_.rim);
      cv::rectangle(out_, cv::Rect(p.tl() - rim, p.br() + rim), cv::Scalar::all(0), cv::FILLED);
    }
    for (const cv::Rect& p : pieces) cv::rectangle(out_, p, label_colour(b.colour), cv::FILLED);
  }

  void add_tag(const DrawnBox& b) {
    constexpr std::size_t kMostText = 200;
    std::string text = drawable(b.text).substr(0, kMostText);
    cv::Size size = tag_of(text);
    while (size.width > out_.cols && text.size() > 1) {
      text.resize(text.size() - 1);
      size = tag_of(text + "..");
      if (size.width <= out_.cols) text += "..";
    }
    if (text.empty() || size.width > out_.cols || size.height > out_.rows) return;
    const cv::Rect tag = place(frame(b.box), size);
    const cv::Scalar colour = label_colour(b.colour);
    cv::rectangle(out_, tag, colour, cv::FILLED);
    cv::putText(out_, text, {tag.x + pen_.pad, tag.br().y - pen_.pad - baseline_}, kFont, pen_.font, text_colour_on(colour),
                pen_.text_line, cv::LINE_AA);
    taken_(tag) = 255;
  }

  cv::Mat take() { return std::move(out_); }

 private:
  // In whole pixels. Edges beside the picture are drawn out of sight.
  cv::Rect frame(const Box& b) const {
    const double margin = 4.0 * (pen_.line + pen_.rim);
    const auto at = [&](double v, int side) { return static_cast<int>(std::lround(std::clamp(v, -margin, side + margin))); };
    const int x1 = at(b.x1, out_.cols), y1 = at(b.y1, out_.rows);
    return {x1, y1, std::max(1, at(b.x2, out_.cols) - x1), std::max(1, at(b.y2, out_.rows) - y1)};
  }

  // The line, which lies inside the frame.
  std::vector<cv::Rect> pieces_of(const cv::Rect& r, bool dashed) const {
    const int across = std::min(pen_.line, r.width), down = std::min(pen_.line, r.height);
    std::vector<cv::Rect> pieces;
    const int dash = dashed ? 4 * pen_.line + 2 : std::max(r.width, r.height);
    for (int x = 0; x < r.width; x += 2 * dash)
      for (const int y : {r.y, r.br().y - down}) pieces.emplace_back(r.x + x, y, std::min(dash, r.width - x), down);
    for (int y = 0; y < r.height; y += 2 * dash)
      for (const int x : {r.x, r.br().x - across}) pieces.emplace_back(x, r.y + y, across, std::min(dash, r.height - y));
    return pieces;
  }

  cv::Size tag_of(const std::string& text) {
    const cv::Size size = cv::getTextSize(text, kFont, pen_.font, pen_.text_line, &baseline_);
    baseline_ = (baseline_ + 1) / 2;  // room for the tails of letters, not for a line below them
    return {size.width + 2 * pen_.pad, size.height + baseline_ + 2 * pen_.pad};
  }

  // Above the box, else in or below it, where no other tag is; above it, where there is one everywhere.
  cv::Rect place(const cv::Rect& box, cv::Size size) const {
    const int left = box.x, top = box.y, right = box.br().x - size.width, bottom = box.br().y;
    const cv::Point candidates[] = {
        {left, top - size.height},   {left, top}, {right, top - size.height}, {left, bottom}, {right, bottom},
        {left, bottom - size.height}};
    for (const cv::Point& p : candidates) {
      if (p.y < 0 || p.y + size.height > out_.rows) continue;
      if (const cv::Rect tag = inside(p, size); cv::countNonZero(taken_(tag)) == 0) return tag;
    }
    return inside(candidates[0], size);
  }

  cv::Rect inside(cv::Point p, cv::Size size) const {
    return {cv::Point(std::clamp(p.x, 0, out_.cols - size.width), std::clamp(p.y, 0, out_.rows - size.height)), size};
  }

  cv::Mat out_, taken_;  // taken_: 255 under tags
  Pen pen_;
  int baseline_ = 0;
};

}  // namespace

DrawnBox drawn(const Annotation& a, const std::vector<std::string>& classes) {
  return {a.box, name_of(a.label, classes), colour_of(a.label), a.ignored};
}

DrawnBox drawn(const Detection& d, const std::vector<std::string>& classes) {
  return {d.box, fmt::format("{} {:.2f}", name_of(d.label, classes), d.score), colour_of(d.label), false};
}

cv::Mat box_overlay(const Image& image, const std::vector<DrawnBox>& boxes) {
  Overlay overlay(image);
  std::vector<const DrawnBox*> shown;
  for (const DrawnBox& b : boxes)
    if (overlay.shows(b.box)) shown.push_back(&b);
  std::stable_sort(shown.begin(), shown.end(),
                   [](const DrawnBox* a, const DrawnBox* b) { return a->box.area() > b->box.area(); });
  for (const DrawnBox* b : shown) overlay.add_lines(*b);
  for (const DrawnBox* b : shown) overlay.add_tag(*b);
  return overlay.take();
}

}  // namespace fovea
