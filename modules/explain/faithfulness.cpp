#include "modules/explain/faithfulness.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace fovea::explain {
namespace {

Tensor dense_of(const Tensor& x) {
  check(x.rank() == 4 && x.dim(0) == 1, "faithfulness: expected one sample 1 x C x H x W, got ", x.shape());
  return x.to(DType::f32).contiguous(Layout::channels_last);
}

// Pixels from the most to the least important; equal ones in reading order.
std::vector<std::int64_t> by_importance(const Map& map, std::int64_t height, std::int64_t width) {
  const auto values = map.on_pixels(height, width);
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
  });
  return order;
}

// `from` turns into `to`, pixel after pixel.
Curve replacing(const BatchScore& score, const Tensor& from, const Tensor& to, const Map& map, const FaithfulnessOptions& o) {
  check(o.steps > 0 && o.batch > 0, "faithfulness: expected at least one step and a batch of one, got ", o.steps, " and ",
        o.batch);
  const std::int64_t depth = from.dim(1), pixels = from.dim(2) * from.dim(3);
  const auto order = by_importance(map, from.dim(2), from.dim(3));
  Curve curve;
  std::vector<float> now(from.data<float>(), from.data<float>() + from.size());
  std::int64_t done = 0;
  for (std::int64_t first = 0; first <= o.steps; first += o.batch) {
    const std::int64_t n = std::min(o.batch, o.steps + 1 - first);
    Tensor batch = Tensor::empty({n, depth, from.dim(2), from.dim(3)}, DType::f32, Layout::channels_last);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t until = (first + i) * pixels / o.steps;
      for (; done < until; ++done) {
        const std::int64_t at = order[static_cast<std::size_t>(done)] * depth;
        std::copy_n(to.data<float>() + at, depth, now.begin() + at);
      }
      std::memcpy(batch.data<float>() + i * from.size(), now.data(), from.bytes());
      curve.fractions.push_back(static_cast<double>(until) / static_cast<double>(pixels));
    }
    const auto some = score(batch);
    check(static_cast<std::int64_t>(some.size()) == n, "faithfulness: expected ", n, " scores, got ", some.size());
    curve.scores.insert(curve.scores.end(), some.begin(), some.end());
  }
  curve.area = area_under(curve.fractions, curve.scores);
  return curve;
}

std::vector<double> gaussian(double sigma) {
  const auto reach = static_cast<std::int64_t>(std::ceil(3 * sigma));
  std::vector<double> k;
  double sum = 0;
  for (std::int64_t i = -reach; i <= reach; ++i)
    sum += k.emplace_back(std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma)));
  for (double& v : k) v /= sum;
  return k;
}

// One pass over `count` lines of `size` values that lie `step` apart; the edge's value goes on beyond it.
void blur_lines(std::vector<float>& v, std::int64_t size, std::int64_t step, const std::vector<std::int64_t>& starts,
                const std::vector<double>& k) {
  const auto reach = static_cast<std::int64_t>(k.size() / 2);
  std::vector<float> line(static_cast<std::size_t>(size));
  for (const std::int64_t start : starts) {
    for (std::int64_t i = 0; i < size; ++i) line[static_cast<std::size_t>(i)] = v[static_cast<std::size_t>(start + i * step)];
    for (std::int64_t i = 0; i < size; ++i) {
      double sum = 0;
      for (std::int64_t j = -reach; j <= reach; ++j)
        sum += k[static_cast<std::size_t>(j + reach)] *
               static_cast<double>(line[static_cast<std::size_t>(std::clamp<std::int64_t>(i + j, 0, size - 1))]);
      v[static_cast<std::size_t>(start + i * step)] = static_cast<float>(sum);
    }
  }
}

}  // namespace

BatchScore batch_score(const ForwardFunction& network, const Score& score) {
  return [network, score](const Tensor& batch) { return scores_of(network, score, batch); };
}

double area_under(const std::vector<double>& x, const std::vector<double>& y) {
  check(x.size() == y.size() && x.size() > 1 && x.back() > x.front(),
        "area_under: expected at least two points from left to right");
  double sum = 0;
  for (std::size_t i = 1; i < x.size(); ++i) sum += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
  return sum / (x.back() - x.front());
}

Tensor blank_picture(const Tensor& x, Blank blank, double sigma) {
  const Tensor dense = dense_of(x);
  if (blank == Blank::zero) return Tensor::zeros(dense.shape(), DType::f32, Layout::channels_last);
  const std::int64_t depth = x.dim(1), height = x.dim(2), width = x.dim(3);
  const auto k = gaussian(sigma > 0 ? sigma : std::max(1.0, static_cast<double>(std::min(height, width)) / 20));
  std::vector<float> v(dense.data<float>(), dense.data<float>() + dense.size());
  std::vector<std::int64_t> rows, columns;
  for (std::int64_t c = 0; c < depth; ++c) {
    for (std::int64_t y = 0; y < height; ++y) rows.push_back(y * width * depth + c);
    for (std::int64_t i = 0; i < width; ++i) columns.push_back(i * depth + c);
  }
  blur_lines(v, width, depth, rows, k);
  blur_lines(v, height, width * depth, columns, k);
  Tensor out = Tensor::like(dense);
  std::copy(v.begin(), v.end(), out.data<float>());
  return out;
}

Curve deletion(const BatchScore& score, const Tensor& x, const Map& map, Blank blank, const FaithfulnessOptions& o) {
  return replacing(score, dense_of(x), blank_picture(x, blank, o.sigma), map, o);
}

Curve insertion(const BatchScore& score, const Tensor& x, const Map& map, Blank blank, const FaithfulnessOptions& o) {
  return replacing(score, blank_picture(x, blank, o.sigma), dense_of(x), map, o);
}

bool pointing_hit(Place peak, const std::vector<Box>& boxes, double tolerance) {
  const double x = peak.x + 0.5, y = peak.y + 0.5;  // from the edge
  return std::any_of(boxes.begin(), boxes.end(), [&](const Box& b) {
    return std::hypot(std::max({b.x0 - x, 0.0, x - b.x1}), std::max({b.y0 - y, 0.0, y - b.y1})) <= tolerance;
  });
}

bool pointing_hit(const std::vector<double>& pixels, std::int64_t width, const std::vector<Box>& boxes, double tolerance) {
  std::int64_t best = -1;
  for (std::size_t i = 0; i < pixels.size(); ++i)
    if (std::isfinite(pixels[i]) && (best < 0 || pixels[i] > pixels[static_cast<std::size_t>(best)]))
      best = static_cast<std::int64_t>(i);
  if (best < 0) return false;
  return pointing_hit(Place{static_cast<double>(best % width), static_cast<double>(best / width)}, boxes, tolerance);
}

}  // namespace fovea::explain
