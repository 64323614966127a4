#include "datasets/metrics/outlines.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "datasets/metrics/resamples.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

// The lower envelope of parabolas along one line: f becomes min over q of (spacing (p - q))^2 + f(q).
class LineTransform {
 public:
  explicit LineTransform(int longest)
      : value_(static_cast<std::size_t>(longest)), vertex_(value_.size()), from_(value_.size() + 1) {}

  void operator()(double* f, std::ptrdiff_t stride, int n, double spacing) {
    int last = -1;
    for (int q = 0; q < n; ++q) {
      value_[static_cast<std::size_t>(q)] = f[q * stride];
      if (f[q * stride] == kFar) continue;
      double start = -kFar;
      while (last >= 0) {
        start = crossing(vertex_[static_cast<std::size_t>(last)], q, spacing);
        if (start > from_[static_cast<std::size_t>(last)]) break;
        --last;
      }
      if (last < 0) start = -kFar;
      ++last;
      vertex_[static_cast<std::size_t>(last)] = q, from_[static_cast<std::size_t>(last)] = start;
    }
    if (last < 0) return;
    for (int p = 0, k = 0; p < n; ++p) {
      while (k < last && from_[static_cast<std::size_t>(k) + 1] < p) ++k;
      const int q = vertex_[static_cast<std::size_t>(k)];
      f[p * stride] = std::pow(spacing * (p - q), 2) + value_[static_cast<std::size_t>(q)];
    }
  }

 private:
  // Where the parabola of q becomes the lower one, in cells.
  double crossing(int a, int q, double spacing) const {
    const double s = spacing * spacing, fa = value_[static_cast<std::size_t>(a)], fq = value_[static_cast<std::size_t>(q)];
    return ((fq + s * q * q) - (fa + s * a * a)) / (2 * s * (q - a));
  }

  std::vector<double> value_;
  std::vector<int> vertex_;
  std::vector<double> from_;
};

struct Grid {
  std::array<int, 3> size{};
  std::vector<std::uint8_t> region, outline;
};

Grid grid_of(const std::vector<cv::Mat>& slices) {
  Grid g{{static_cast<int>(slices.size()), slices.at(0).rows, slices.at(0).cols}, {}, {}};
  for (const cv::Mat& slice : slices) {
    check(slice.type() == CV_8U && slice.size() == slices[0].size(), "outlines: expected slices of 8 bits and one size");
    for (int y = 0; y < slice.rows; ++y)
      for (int x = 0; x < slice.cols; ++x) g.region.push_back(slice.at<std::uint8_t>(y, x) != 0);
  }
  g.outline.resize(g.region.size());
  const auto at = [&](int z, int y, int x) {
    return (static_cast<std::size_t>(z) * static_cast<std::size_t>(g.size[1]) + static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(g.size[2]) +
           static_cast<std::size_t>(x);
  };
  const auto inside = [&](int z, int y, int x) {
    return z >= 0 && y >= 0 && x >= 0 && z < g.size[0] && y < g.size[1] && x < g.size[2] && g.region[at(z, y, x)];
  };
  const bool flat = g.size[0] == 1;  // a picture has no neighbours above and below
  for (int z = 0; z < g.size[0]; ++z)
    for (int y = 0; y < g.size[1]; ++y)
      for (int x = 0; x < g.size[2]; ++x) {
        const bool whole = inside(z, y - 1, x) && inside(z, y + 1, x) && inside(z, y, x - 1) && inside(z, y, x + 1) &&
                           (flat || (inside(z - 1, y, x) && inside(z + 1, y, x)));
        g.outline[at(z, y, x)] = g.region[at(z, y, x)] && !whole;
      }
  return g;
}

// Of a's outline cells to b's outline.
std::vector<double> between(const Grid& a, const Grid& b, const std::array<double, 3>& spacing) {
  const std::vector<double> far = distance_to_marked(b.outline, b.size, spacing);
  std::vector<double> out;
  for (std::size_t i = 0; i < far.size(); ++i)
    if (a.outline[i]) out.push_back(far[i]);
  return out;
}

double percentile_95(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.95);
}

}  // namespace

std::vector<double> distance_to_marked(const std::vector<std::uint8_t>& marked, const std::array<int, 3>& size,
                                       const std::array<double, 3>& spacing) {
  check(
      marked.size() == static_cast<std::size_t>(size[0]) * static_cast<std::size_t>(size[1]) * static_cast<std::size_t>(size[2]),
      "distances: expected ", size[0], "x", size[1], "x", size[2], " cells, got ", marked.size());
  std::vector<double> f(marked.size());
  std::transform(marked.begin(), marked.end(), f.begin(), [](std::uint8_t m) { return m ? 0.0 : kFar; });
  LineTransform line(std::max({size[0], size[1], size[2]}));
  const std::ptrdiff_t row = size[2], slice = row * size[1];
  for (std::ptrdiff_t z = 0; z < size[0]; ++z)
    for (std::ptrdiff_t y = 0; y < size[1]; ++y) line(f.data() + z * slice + y * row, 1, size[2], spacing[2]);
  for (std::ptrdiff_t z = 0; z < size[0]; ++z)
    for (std::ptrdiff_t x = 0; x < size[2]; ++x) line(f.data() + z * slice + x, row, size[1], spacing[1]);
  for (std::ptrdiff_t i = 0; size[0] > 1 && i < slice; ++i) line(f.data() + i, slice, size[0], spacing[0]);
  for (double& v : f) v = std::sqrt(v);
  return f;
}

std::optional<OutlineDistances> outline_distances(const std::vector<cv::Mat>& a, const std::vector<cv::Mat>& b,
                                                  const std::array<double, 3>& spacing) {
  check(!a.empty() && a.size() == b.size() && a[0].size() == b[0].size(), "outlines: expected two regions of one size");
  const Grid x = grid_of(a), y = grid_of(b);
  std::vector<double> there = between(x, y, spacing), back = between(y, x, spacing);
  if (there.empty() || back.empty()) return std::nullopt;
  OutlineDistances d;
  d.hd95 = std::max(percentile_95(there), percentile_95(back));
  for (const auto* all : {&there, &back})
    for (const double v : *all) d.mean += v;
  d.mean /= static_cast<double>(there.size() + back.size());
  return d;
}

}  // namespace fovea
