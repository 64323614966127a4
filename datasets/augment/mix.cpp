#include "datasets/augment/mix.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

double gamma_draw(double alpha, Random& random) {
  if (alpha < 1) return gamma_draw(alpha + 1, random) * std::pow(1 - random.uniform(), 1 / alpha);
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = random.normal(), t = 1 + c * x, v = t * t * t;
    if (v > 0 && std::log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

// Rows of a channels-last batch.
float* row_of(Tensor& batch, std::int64_t index, std::int64_t y) {
  return batch.data<float>() + (index * batch.dim(2) + y) * batch.dim(3) * batch.dim(1);
}

// sample = keep sample + (1 - keep) other.
void blend(float* sample, const float* other, std::int64_t n, double keep) {
  const auto k = static_cast<float>(keep), rest = static_cast<float>(1 - keep);
  for (std::int64_t i = 0; i < n; ++i) sample[i] = k * sample[i] + rest * other[i];
}

// Pastes a box of about 1 - keep of the area, centred anywhere; returns the share that really stayed.
double paste_box(Tensor& batch, std::int64_t index, const Tensor& before, double keep, Random& random) {
  const std::int64_t h = batch.dim(2), w = batch.dim(3), c = batch.dim(1);
  const double side = std::sqrt(1 - keep);
  const auto half_h = static_cast<std::int64_t>(std::llround(side * static_cast<double>(h))) / 2,
             half_w = static_cast<std::int64_t>(std::llround(side * static_cast<double>(w))) / 2;
  const std::int64_t y = random.below(h), x = random.below(w);
  const std::int64_t top = std::max<std::int64_t>(0, y - half_h), bottom = std::min(h, y + half_h),
                     left = std::max<std::int64_t>(0, x - half_w), right = std::min(w, x + half_w);
  Tensor other = before;
  for (std::int64_t r = top; r < bottom; ++r) {
    const float* from = row_of(other, batch.dim(0) - 1 - index, r) + left * c;
    std::copy(from, from + (right - left) * c, row_of(batch, index, r) + left * c);
  }
  return 1 - static_cast<double>((bottom - top) * (right - left)) / static_cast<double>(h * w);
}

}  // namespace

double beta(double alpha, Random& random) {
  const double a = gamma_draw(alpha, random), b = gamma_draw(alpha, random);
  return a + b > 0 ? a / (a + b) : 0.5;  // both vanish for tiny alphas only
}

void erase_at_random(Tensor& batch, std::int64_t index, Random& random) {
  const std::int64_t h = batch.dim(2), w = batch.dim(3), c = batch.dim(1);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = static_cast<double>(h * w) * (0.02 + 0.31 * random.uniform()),
                 ratio = std::exp(std::log(0.3) + (std::log(3.3) - std::log(0.3)) * random.uniform());
    const std::int64_t box_h = std::llround(std::sqrt(area * ratio)), box_w = std::llround(std::sqrt(area / ratio));
    if (box_h < 1 || box_w < 1 || box_h >= h || box_w >= w) continue;
    const std::int64_t top = random.below(h - box_h + 1), left = random.below(w - box_w + 1);
    for (std::int64_t y = top; y < top + box_h; ++y) {
      float* row = row_of(batch, index, y) + left * c;
      for (std::int64_t i = 0; i < box_w * c; ++i) row[i] = static_cast<float>(random.normal());
    }
    return;
  }
}

void mix(Tensor& batch, Tensor& targets, const Augment& a, Random& random) {
  check(batch.rank() == 4 && batch.is_dense(Layout::channels_last), "mix: expected a channels-last batch");
  const Tensor before = batch.clone(), labels = targets.defined() ? targets.clone() : Tensor();
  const std::int64_t n = batch.dim(0), row = batch.size() / n;
  for (std::int64_t i = 0; i < n; ++i) {
    if (random.uniform() >= a.mix_probability) continue;
    const bool cut = a.cutmix > 0 && (a.mixup <= 0 || random.uniform() < 0.5);
    double keep = beta(cut ? a.cutmix : a.mixup, random);
    if (cut) keep = paste_box(batch, i, before, keep, random);
    else blend(batch.data<float>() + i * row, before.data<float>() + (n - 1 - i) * row, row, keep);
    if (!labels.defined()) continue;
    const std::int64_t classes = labels.dim(1);
    blend(targets.data<float>() + i * classes, labels.data<float>() + (n - 1 - i) * classes, classes, keep);
  }
}

Tensor one_hot(const Tensor& labels, std::int64_t classes) {
  Tensor out = Tensor::zeros({labels.size(), classes});
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels.data<std::int64_t>()[i];
    check(label >= 0 && label < classes, "one_hot: expected a label below ", classes, ", got ", label);
    out.data<float>()[i * classes + label] = 1;
  }
  return out;
}

}  // namespace fovea
