#include "pipeline/tasks/highlight/overlay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "pipeline/sinks/colours.hpp"
#include "pipeline/sinks/drawn_text.hpp"
#include "pipeline/sinks/heatmap.hpp"

namespace fovea {
namespace {

constexpr int kSmallest = 480;  // pixels of the shorter side, below which a picture is enlarged
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
const cv::Scalar kWhite(255, 255, 255), kBlack(0, 0, 0);

cv::Mat in_colour(const cv::Mat& shown) {
  cv::Mat out;
  if (shown.channels() == 1) cv::cvtColor(shown, out, cv::COLOR_GRAY2BGR);
  else out = shown.clone();
  return out;
}

struct Canvas {
  cv::Mat picture;
  int zoom = 1;
  double text = 0.5;  // size of letters
  int line = 1;

  explicit Canvas(const cv::Mat& shown, bool enlarge = true) {
    const int shorter = std::min(shown.rows, shown.cols);
    zoom = enlarge ? std::clamp((kSmallest + shorter - 1) / std::max(shorter, 1), 1, 8) : 1;
    cv::resize(in_colour(shown), picture, {}, zoom, zoom, zoom > 1 ? cv::INTER_CUBIC : cv::INTER_NEAREST);
    text = std::clamp(std::min(picture.rows, picture.cols) / 1100.0, 0.45, 2.0);
    line = std::max(1, static_cast<int>(std::lround(text * 2)));
  }
  cv::Mat enlarged(const cv::Mat& mask) const {
    cv::Mat out;
    cv::resize(mask, out, picture.size(), 0, 0, cv::INTER_NEAREST);
    return out;
  }
  void write(const std::string& words, cv::Point at) {
    cv::putText(picture, drawable(words), at, kFont, text, kBlack, line + 2, cv::LINE_AA);
    cv::putText(picture, drawable(words), at, kFont, text, kWhite, line, cv::LINE_AA);
  }
  cv::Size size_of(const std::string& words) const {
    int below = 0;
    return cv::getTextSize(drawable(words), kFont, text, line, &below);
  }
};

void fill(Canvas& canvas, const cv::Mat& mask, const cv::Scalar& colour, double opacity) {
  cv::Mat mixed;
  cv::addWeighted(canvas.picture, 1 - opacity, cv::Mat(canvas.picture.size(), CV_8UC3, colour), opacity, 0, mixed);
  mixed.copyTo(canvas.picture, mask);
}

void hatch(Canvas& canvas, const cv::Mat& mask, const cv::Scalar& colour) {
  cv::Mat lines = cv::Mat::zeros(mask.size(), CV_8U);
  const int gap = 6 * canvas.line + 4;
  for (int x = -mask.rows; x < mask.cols; x += gap)
    cv::line(lines, {x, mask.rows}, {x + mask.rows, 0}, cv::Scalar(255), canvas.line);
  canvas.picture.setTo(colour, lines & mask);
}

void fill_class(Canvas& canvas, const FoundClass& found, const cv::Scalar& colour, const HighlightDrawing& d) {
  cv::Mat unsure = cv::Mat::zeros(found.regions.size(), CV_8U);
  for (const RegionMeasure& m : found.measures)
    if (m.confidence < d.sure) unsure(m.box).setTo(255, found.regions(m.box) == m.number);
  fill(canvas, canvas.enlarged(found.regions != 0), colour, d.opacity);
  hatch(canvas, canvas.enlarged(unsure), colour);
}

// Where the outlines of a class's regions run; neighbours that touch have one each.
cv::Mat outlines_of(const Canvas& canvas, const FoundClass& found) {
  cv::Mat out = cv::Mat::zeros(canvas.picture.size(), CV_8U);
  for (const RegionMeasure& m : found.measures) {
    cv::Mat part;
    const cv::Rect box(m.box.x * canvas.zoom, m.box.y * canvas.zoom, m.box.width * canvas.zoom, m.box.height * canvas.zoom);
    cv::resize(found.regions(m.box) == m.number, part, box.size(), 0, 0, cv::INTER_NEAREST);
    std::vector<std::vector<cv::Point>> lines;
    cv::findContours(part, lines, cv::RETR_LIST, cv::CHAIN_APPROX_NONE, box.tl());
    cv::drawContours(out, lines, -1, cv::Scalar(255), canvas.line);
  }
  return out;
}

// Where the ground of rims is so dark that white is further from it than black; a rim does not change with every pixel below it.
cv::Mat dark_ground(const Canvas& canvas) {
  constexpr double kMiddle = 0.179;  // luminance of the grey that is as far from black as from white
  const int side = 16 * canvas.line + 1;
  cv::Mat grey, around;
  cv::cvtColor(canvas.picture, grey, cv::COLOR_BGR2GRAY);
  cv::boxFilter(grey, around, -1, {side, side});
  return around < 255 * (1.055 * std::pow(kMiddle, 1 / 2.4) - 0.055);
}

// Where a rim around an outline of this colour is white, else black: what the outline is seen against, and of both what is further from the ground.
cv::Mat white_rims(const cv::Scalar& colour, const cv::Mat& dark) {
  constexpr double kSeen = 3;  // WCAG's contrast of shapes
  const bool on_white = contrast(colour, kWhite) >= kSeen, on_black = contrast(colour, kBlack) >= kSeen;
  return on_white && on_black ? dark : cv::Mat(dark.size(), CV_8U, cv::Scalar(on_white ? 255 : 0));
}

// Every class's rims, and over them every class's outlines.
void draw_outlines(Canvas& canvas, const std::vector<FoundClass>& classes) {
  std::vector<cv::Mat> lines;
  const int rim = std::max(1, canvas.line / 2);
  const cv::Mat around(2 * rim + 1, 2 * rim + 1, CV_8U, cv::Scalar(1)), dark = dark_ground(canvas);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    lines.push_back(outlines_of(canvas, classes[c]));
    if (classes[c].measures.empty()) continue;
    const cv::Mat shape = lines[c] | canvas.enlarged(classes[c].regions != 0);
    cv::Mat wider;
    cv::dilate(shape, wider, around);
    const cv::Mat rims = wider & ~shape, white = white_rims(label_colour(c), dark);
    canvas.picture.setTo(kWhite, rims & white);
    canvas.picture.setTo(kBlack, rims & ~white);
  }
  for (std::size_t c = 0; c < classes.size(); ++c) canvas.picture.setTo(label_colour(c), lines[c]);
}

void draw_classes(Canvas& canvas, const std::vector<FoundClass>& classes, const HighlightDrawing& drawing) {
  for (std::size_t c = 0; c < classes.size(); ++c) fill_class(canvas, classes[c], label_colour(c), drawing);
  draw_outlines(canvas, classes);
}

// The letter of the side that a direction points to: L and R, P and A, H and F.
std::string side_of(const Vec3& v, double sign) {
  constexpr std::array<std::array<const char*, 2>, 3> kSides{{{"L", "R"}, {"P", "A"}, {"H", "F"}}};
  std::size_t most = 0;
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}})
    if (std::abs(v[i]) > std::abs(v[most])) most = i;
  return kSides[most][sign * v[most] > 0 ? 0 : 1];
}

void draw_sides(Canvas& canvas, const Plane& plane) {
  const int w = canvas.picture.cols, h = canvas.picture.rows, gap = 4 * canvas.line + 4;
  const cv::Size letter = canvas.size_of("R");
  canvas.write(side_of(plane.along_columns, -1), {gap, h / 2});
  canvas.write(side_of(plane.along_columns, 1), {w - gap - letter.width, h / 2});
  canvas.write(side_of(plane.along_rows, -1), {w / 2, gap + letter.height});
  canvas.write(side_of(plane.along_rows, 1), {w / 2, h - gap});
}

// 1, 2 or 5 times a power of ten, about a fifth of the width.
void draw_scale(Canvas& canvas, const PixelSpacing& spacing) {
  const double width_mm = canvas.picture.cols * spacing.columns / canvas.zoom, wish = width_mm / 5;
  const double power = std::pow(10, std::floor(std::log10(wish)));
  const double length = power * (wish >= 5 * power ? 5 : wish >= 2 * power ? 2 : 1);
  const int pixels = static_cast<int>(std::lround(length / spacing.columns * canvas.zoom)), gap = 8 * canvas.line + 8;
  const cv::Point right(canvas.picture.cols - gap, canvas.picture.rows - gap), left(right.x - pixels, right.y);
  for (const auto& [colour, more] : {std::pair{kBlack, 2}, {kWhite, 0}})
    cv::line(canvas.picture, left, right, colour, 2 * canvas.line + more);
  const std::string words = fmt::format("{:g} mm{}", length, spacing.at_detector ? " at detector" : "");
  canvas.write(words, {std::max(0, right.x - canvas.size_of(words).width), right.y - 3 * canvas.line - 4});
}

// A line of text below a picture.
class Strip {
 public:
  Strip(const Canvas& canvas, int lines)
      : canvas_(canvas),
        height_(canvas.size_of("Ag").height + 6 * canvas.line),
        picture_(lines * height_ + height_ / 2, canvas.picture.cols, CV_8UC3, cv::Scalar(24, 24, 24)) {}
  void write(int line, const std::string& words, int x, const cv::Scalar& colour = kWhite) {
    const int y = (line + 1) * height_ - 2 * canvas_.line;
    // Small enough to fit.
    const double room = static_cast<double>(picture_.cols - x - 6) / std::max(canvas_.size_of(words).width, 1);
    cv::putText(picture_, drawable(words), {x, y}, kFont, canvas_.text * std::min(1.0, room), colour, canvas_.line, cv::LINE_AA);
  }
  void square(int line, int x, const cv::Scalar& colour) {
    cv::rectangle(picture_, cv::Rect(x, line * height_ + height_ / 2 - height_ / 4, height_ / 2, height_ / 2), colour,
                  cv::FILLED);
  }
  int height() const { return height_; }
  const cv::Mat& picture() const { return picture_; }

 private:
  const Canvas& canvas_;
  int height_;
  cv::Mat picture_;
};

std::string legend_text(const std::string& name, const FoundClass& found, double sure) {
  if (found.measures.empty()) return name + ": none";
  double pixels = 0, weighted = 0, mm2 = 0;
  int unsure = 0;
  bool in_mm = true;
  for (const RegionMeasure& m : found.measures) {
    pixels += m.pixels, weighted += m.pixels * m.confidence, unsure += m.confidence < sure;
    in_mm = in_mm && m.area_mm2.has_value(), mm2 += m.area_mm2.value_or(0);
  }
  return fmt::format("{}: {} region{}, {}, p {:.2f}{}", name, found.measures.size(), found.measures.size() == 1 ? "" : "s",
                     in_mm ? fmt::format("{:.4g} mm2", mm2) : fmt::format("{:.0f} px", pixels), weighted / pixels,
                     unsure > 0 ? fmt::format(", {} unsure (hatched)", unsure) : "");
}

}  // namespace

cv::Mat highlight_overlay(const FoundPicture& found, const Slice& slice, const std::vector<std::string>& classes,
                          const HighlightDrawing& drawing, bool forced) {
  Canvas canvas(found.shown);
  draw_classes(canvas, found.classes, drawing);
  if (slice.about.plane) draw_sides(canvas, *slice.about.plane);
  if (slice.about.spacing) draw_scale(canvas, *slice.about.spacing);
  Strip strip(canvas, static_cast<int>(classes.size()) + 1);
  int line = 0;
  for (std::size_t c = 0; c < classes.size(); ++c, ++line) {
    strip.square(line, 6, label_colour(c));
    strip.write(line, legend_text(classes[c], found.classes[c], drawing.sure), 12 + strip.height() / 2);
  }
  strip.write(line, std::string(kResearchOnly) + (forced ? "; the model was not made for this kind of picture" : ""), 6,
              cv::Scalar(120, 200, 255));
  cv::Mat out;
  cv::vconcat(canvas.picture, strip.picture(), out);
  return out;
}

cv::Mat region_drawing(const FoundPicture& found, const HighlightDrawing& drawing) {
  Canvas canvas(found.shown, false);
  draw_classes(canvas, found.classes, drawing);
  canvas.text =
      std::min(canvas.text, canvas.text * (canvas.picture.cols - 12) / std::max(1, canvas.size_of(kResearchOnly).width));
  canvas.write(kResearchOnly, {6, canvas.picture.rows - 6});
  return canvas.picture;
}

cv::Mat map_overlay(const FoundPicture& found, const HighlightMap& map, double opacity) {
  Image image{in_colour(found.shown), false, {}};
  OverlayOptions o{.opacity = opacity, .legend = true};
  if (map.kind != HighlightMap::Kind::tap) o.low = 0, o.high = 100;  // nearly all of a picture may be 0 in these
  const cv::Mat heat = heat_overlay(image, map.values, o).pixels;
  Canvas canvas(heat);
  Strip strip(canvas, 1);
  strip.write(0, kResearchOnly, 6, cv::Scalar(120, 200, 255));
  cv::Mat out;
  cv::vconcat(canvas.picture, strip.picture(), out);
  return out;
}

}  // namespace fovea
