#include "datasets/regions/measure.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <opencv2/imgproc.hpp>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

// The unit of both axes: 1 each for pixels.
struct Step {
  double x = 1, y = 1;
};

double longest_between(const std::vector<cv::Point>& outline, const Step& step) {
  std::vector<cv::Point> hull;
  cv::convexHull(outline, hull);
  std::vector<cv::Point2d> corners;
  for (const cv::Point& p : hull)
    for (const double dy : {-0.5, 0.5})
      for (const double dx : {-0.5, 0.5}) corners.emplace_back((p.x + dx) * step.x, (p.y + dy) * step.y);
  double most = 0;
  for (std::size_t i = 0; i < corners.size(); ++i)
    for (std::size_t k = i + 1; k < corners.size(); ++k) most = std::max(most, cv::norm(corners[i] - corners[k]));
  return most;
}

// Steps between neighbours on a line, those along a corner only where no other way joins them; a single pixel is one long.
double line_length(const cv::Mat& line, const Step& step) {
  const auto on = [&](int y, int x) {
    return y >= 0 && x >= 0 && y < line.rows && x < line.cols && line.at<std::uint8_t>(y, x) != 0;
  };
  double length = 0;
  int pixels = 0;
  for (int y = 0; y < line.rows; ++y)
    for (int x = 0; x < line.cols; ++x) {
      if (!on(y, x)) continue;
      ++pixels;
      if (on(y, x + 1)) length += step.x;
      if (on(y + 1, x)) length += step.y;
      for (const int dx : {-1, 1})
        if (on(y + 1, x + dx) && !on(y, x + dx) && !on(y + 1, x)) length += std::hypot(step.x, step.y);
    }
  return pixels > 0 && length == 0 ? (step.x + step.y) / 2 : length;
}

cv::Mat one_value(const cv::Mat& values) {
  cv::Mat out;
  if (values.channels() == 1) values.convertTo(out, CV_64F);
  else cv::transform(values, out, cv::Matx13d::all(1.0 / 3)), out.convertTo(out, CV_64F);
  return out;
}

// What one pass over a picture says of every region.
struct Sums {
  cv::Point first;
  cv::Rect box;
  double pixels = 0, x = 0, y = 0, value = 0, squares = 0, least = INFINITY, most = -INFINITY, probability = 0, spread = 0;
};

std::map<int, Sums> sums_of(const cv::Mat& regions, const cv::Mat& values, const cv::Mat& probability, const cv::Mat& spread) {
  std::map<int, Sums> all;
  for (int y = 0; y < regions.rows; ++y)
    for (int x = 0; x < regions.cols; ++x) {
      const int id = regions.at<int>(y, x);
      if (id == 0) continue;
      Sums& s = all[id];
      if (s.pixels == 0) s.first = {x, y};
      s.box = s.pixels == 0 ? cv::Rect(x, y, 1, 1) : s.box | cv::Rect(x, y, 1, 1);
      const double v = values.at<double>(y, x);
      ++s.pixels, s.x += x, s.y += y, s.value += v, s.squares += v * v;
      s.least = std::min(s.least, v), s.most = std::max(s.most, v);
      s.probability += probability.at<float>(y, x);
      if (!spread.empty()) s.spread += spread.at<float>(y, x);
    }
  return all;
}

// Whether a pixel of a mask (0 and 1, with a border of 0) is at its edge and no part of what holds it together, in either half of a step.
bool may_go(const cv::Mat& mask, const cv::Point& p, bool first_half) {
  const auto at = [&](int dy, int dx) { return static_cast<int>(mask.at<std::uint8_t>(p.y + dy, p.x + dx)); };
  // Clockwise from above.
  const std::array<int, 8> n{at(-1, 0), at(-1, 1), at(0, 1), at(1, 1), at(1, 0), at(1, -1), at(0, -1), at(-1, -1)};
  const int around = std::accumulate(n.begin(), n.end(), 0);
  int starts = 0;
  for (std::size_t i = 0; i < 8; ++i) starts += n[i] == 0 && n[(i + 1) % 8] == 1;
  if (around < 2 || around > 6 || starts != 1) return false;
  return first_half ? n[0] * n[2] * n[4] == 0 && n[2] * n[4] * n[6] == 0 : n[0] * n[2] * n[6] == 0 && n[0] * n[4] * n[6] == 0;
}

// Whether a pixel of a line only joins two others that touch by a corner anyway.
bool is_corner(const cv::Mat& line, const cv::Point& p) {
  const auto on = [&](int dy, int dx) { return line.at<std::uint8_t>(p.y + dy, p.x + dx) != 0; };
  if (on(-1, 0) == on(1, 0) || on(0, -1) == on(0, 1)) return false;
  return !on(on(1, 0) ? -1 : 1, on(0, 1) ? -1 : 1);  // nothing hangs on its outer side
}

// A larger number points to the smaller one that it is the same region as.
class Same {
 public:
  int of(int id) {
    while (parent_.count(id) && parent_[id] != id) id = parent_[id];
    return id;
  }
  void join(int a, int b) {
    a = of(a), b = of(b);
    if (a != b) parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::map<int, int> parent_;
};

}  // namespace

std::vector<RegionMeasure> measure_regions(const cv::Mat& regions, const cv::Mat& values, const cv::Mat& probability,
                                           const cv::Mat& spread, const std::optional<PixelSpacing>& spacing) {
  check(regions.type() == CV_32S && values.size() == regions.size() && probability.size() == regions.size(),
        "regions: expected numbers, values and probabilities of one size");
  std::vector<RegionMeasure> out;
  const cv::Mat lines = centre_lines(regions != 0);
  for (const auto& [id, s] : sums_of(regions, one_value(values), probability, spread)) {
    RegionMeasure m;
    m.number = id, m.first = s.first, m.box = s.box, m.pixels = s.pixels;
    m.centre = {s.x / s.pixels, s.y / s.pixels};
    m.mean = s.value / s.pixels, m.least = s.least, m.most = s.most;
    m.deviation = std::sqrt(std::max(0.0, s.squares / s.pixels - m.mean * m.mean));
    m.confidence = s.probability / s.pixels, m.uncertainty = s.spread / s.pixels;
    const cv::Mat mask = regions(s.box) == id;
    std::vector<cv::Point> outline;
    cv::findNonZero(mask, outline);
    const cv::Mat line = lines(s.box) & mask;
    m.diameter = longest_between(outline, {}), m.length = line_length(line, {});
    if (spacing) {
      const Step step{spacing->columns, spacing->rows};
      m.area_mm2 = m.pixels * step.x * step.y;
      m.diameter_mm = longest_between(outline, step), m.length_mm = line_length(line, step);
    }
    out.push_back(m);
  }
  return out;
}

cv::Mat centre_lines(const cv::Mat& mask) {
  cv::Mat line;
  cv::copyMakeBorder(mask != 0, line, 1, 1, 1, 1, cv::BORDER_CONSTANT, cv::Scalar());
  line /= 255;
  std::vector<cv::Point> left, gone;
  cv::findNonZero(line, left);
  const auto on = [&](const cv::Point& p) { return line.at<std::uint8_t>(p) != 0; };
  for (int half = 0, quiet = 0; quiet < 2; half ^= 1) {
    gone.clear();
    std::copy_if(left.begin(), left.end(), std::back_inserter(gone),
                 [&](const cv::Point& p) { return may_go(line, p, half == 0); });
    for (const cv::Point& p : gone) line.at<std::uint8_t>(p) = 0;
    std::erase_if(left, [&](const cv::Point& p) { return !on(p); });
    quiet = gone.empty() ? quiet + 1 : 0;
  }
  for (const cv::Point& p : left)
    if (is_corner(line, p)) line.at<std::uint8_t>(p) = 0;
  return cv::Mat(line(cv::Rect(1, 1, mask.cols, mask.rows)) * 255);
}

void join_slices(std::vector<cv::Mat>& regions) {
  int most = 0;
  Same same;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    cv::Mat& here = regions[i];
    int last = most;
    for (int y = 0; y < here.rows; ++y)
      for (int x = 0; x < here.cols; ++x) {
        int& id = here.at<int>(y, x);
        if (id == 0) continue;
        id += most, last = std::max(last, id);
        if (i == 0) continue;
        if (const int below = regions[i - 1].at<int>(y, x); below != 0) same.join(id, below);
      }
    most = last;
  }
  std::map<int, int> numbers;
  for (cv::Mat& here : regions)
    for (int y = 0; y < here.rows; ++y)
      for (int x = 0; x < here.cols; ++x)
        if (int& id = here.at<int>(y, x); id != 0)
          id = numbers.emplace(same.of(id), static_cast<int>(numbers.size()) + 1).first->second;
}

}  // namespace fovea
