#include "modules/nn/init.hpp"

#include <cmath>

namespace fovea::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans(const Shape& s) {
  check(s.rank() >= 2, "init: fans need a weight of rank 2 or more, got ", s);
  double field = 1;
  for (int i = 2; i < s.rank(); ++i) field *= static_cast<double>(s[i]);
  return {static_cast<double>(s[1]) * field, static_cast<double>(s[0]) * field};
}

double kaiming_std(const Shape& s, double a, Fan fan) {
  const Fans f = fans(s);
  return std::sqrt(2.0 / (1.0 + a * a)) / std::sqrt(fan == Fan::in ? f.in : f.out);
}

double xavier_std(const Shape& s, double gain) {
  const Fans f = fans(s);
  return gain * std::sqrt(2.0 / (f.in + f.out));
}

}  // namespace

Init constant(double value) {
  return [=](Tensor& t, Random&) { t.fill(value); };
}
Init uniform(double low, double high) {
  return [=](Tensor& t, Random& r) { r.fill_uniform(t, low, high); };
}
Init normal(double mean, double stddev) {
  return [=](Tensor& t, Random& r) { r.fill_normal(t, mean, stddev); };
}
Init truncated_normal(double stddev) {
  return [=](Tensor& t, Random& r) {
    const bool in_place = t.dtype() == DType::f32 && t.is_dense(Layout::row_major);
    Tensor values = in_place ? t : Tensor::empty(t.shape());
    for (std::int64_t i = 0, n = t.size(); i < n; ++i) {
      double v = 0;
      do v = r.normal() * stddev;
      while (std::abs(v) > 2.0);
      values.data<float>()[i] = static_cast<float>(v);
    }
    if (!in_place) t.copy_from(values);
  };
}
Init fan_in_uniform(std::int64_t fan_in) {
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.0;
  return uniform(-bound, bound);
}
Init kaiming_uniform(double a, Fan fan) {
  return [=](Tensor& t, Random& r) {
    const double bound = std::sqrt(3.0) * kaiming_std(t.shape(), a, fan);
    r.fill_uniform(t, -bound, bound);
  };
}
Init kaiming_normal(double a, Fan fan) {
  return [=](Tensor& t, Random& r) { r.fill_normal(t, 0, kaiming_std(t.shape(), a, fan)); };
}
Init xavier_uniform(double gain) {
  return [=](Tensor& t, Random& r) {
    const double bound = std::sqrt(3.0) * xavier_std(t.shape(), gain);
    r.fill_uniform(t, -bound, bound);
  };
}
Init xavier_normal(double gain) {
  return [=](Tensor& t, Random& r) { r.fill_normal(t, 0, xavier_std(t.shape(), gain)); };
}

}  // namespace fovea::init
