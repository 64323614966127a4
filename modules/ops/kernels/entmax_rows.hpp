// What sparsemax, 1.5-entmax and alpha-entmax share: p_i = [z_i - tau]+^r along the last axis, and its gradient
//   dx = s * (g - sum(s g) / sum(s)),  s_i = the slope of p_i at its value: p_i^(2 - alpha) on the support, 0 off it.
// Rows are computed in double: they are short beside what made them, and a threshold wants the digits.
#pragma once

#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "modules/ops/kernels/axis_rows.hpp"

namespace fovea::kernels {

using Row = std::vector<double>;

// x - max(x); empty where the row has no distribution: a NaN, or no finite maximum. -inf (masked) stays and gets probability 0.
template <class T>
Row shifted_row(const T* x, std::int64_t n) {
  Row z(static_cast<std::size_t>(n));
  double top = -std::numeric_limits<double>::infinity();
  bool numbers = true;
  for (std::size_t i = 0; i < z.size(); ++i) {
    z[i] = static_cast<double>(x[i]);
    numbers = numbers && !std::isnan(z[i]);
    top = z[i] > top ? z[i] : top;
  }
  if (!numbers || !std::isfinite(top)) return {};
  for (double& v : z) v -= top;
  return z;
}

// distribution(z, row): turns shifted values into probabilities in place. Rows without one become NaN, as softmax gives.
template <class F>
Tensor map_rows(const Tensor& x, std::string_view name, const F& distribution) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  for_each_axis_row(x, name, 256, [&](auto zero, std::int64_t at, std::int64_t n) {
    using T = decltype(zero);
    Row z = shifted_row(x.data<T>() + at, n);
    if (z.empty()) z.assign(static_cast<std::size_t>(n), std::numeric_limits<double>::quiet_NaN());
    else distribution(z, at / n);
    for (std::int64_t i = 0; i < n; ++i)
      y.data<T>()[at + i] = static_cast<T>(static_cast<compute_t<T>>(z[static_cast<std::size_t>(i)]));
  });
  return y;
}

// slope(p, row) is s above.
template <class F>
Tensor map_rows_back(const Tensor& y, const Tensor& g, std::string_view name, const F& slope) {
  Tensor dx = Tensor::empty(y.shape(), y.dtype());
  for_each_axis_row(y, name, 1024, [&](auto zero, std::int64_t at, std::int64_t n) {
    using T = decltype(zero);
    const T *p = y.data<T>() + at, *grad = g.data<T>() + at;
    Row s(static_cast<std::size_t>(n));
    double total = 0, weighted = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
      s[i] = slope(static_cast<double>(p[i]), at / n);
      total += s[i], weighted += s[i] * static_cast<double>(grad[i]);
    }
    const double mean = weighted / total;
    for (std::size_t i = 0; i < s.size(); ++i)
      dx.data<T>()[at + static_cast<std::int64_t>(i)] =
          static_cast<T>(static_cast<compute_t<T>>(s[i] * (static_cast<double>(grad[i]) - mean)));
  });
  return dx;
}

}  // namespace fovea::kernels
