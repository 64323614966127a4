#include "modules/ops/entmax.hpp"

#include "modules/core/reduce.hpp"
#include "modules/ops/kernels/entmax_rows.hpp"

namespace fovea {
namespace {

using kernels::axis_to_back;
using kernels::Row;

// Nearer to 1 than this the exponent 1 / (alpha - 1) is beyond doubles: the limit, softmax, is nearer than the formula.
constexpr double kSoftmax = 1e-6;
// Nearer to 1 than this the gradient of alpha, a difference over (alpha - 1)^2, is less exact than its limit.
constexpr double kLimit = 1e-5;
constexpr int kHalvings = 50;

void softmax_row(Row& z) {
  double sum = 0;
  for (double& v : z) sum += v = std::exp(v);
  for (double& v : z) v /= sum;
}

// tau lies between -1 (there the maximum alone gives 1) and -n^(1 - alpha) (there n equal values give 1). For alpha <= 2 the sum is
// convex in tau: some six of Newton's steps, kept inside the bracket, replace the fifty halvings that other alphas take.
double threshold(const Row& z, double alpha) {
  const double power = 1 / (alpha - 1);
  double full = -1, empty = -std::pow(static_cast<double>(z.size()), 1 - alpha), tau = full;
  for (int step = 0; step < kHalvings; ++step) {
    double sum = -1, slope = 0;
    for (const double v : z)
      if (v > tau) {
        const double p = std::pow(v - tau, power);
        sum += p, slope -= power * p / (v - tau);
      }
    if (sum == 0) break;
    (sum > 0 ? full : empty) = tau;
    const double newton = tau - sum / slope, low = std::min(full, empty), high = std::max(full, empty);
    const double next = alpha <= 2 && newton > low && newton < high ? newton : full + (empty - full) / 2;
    if (std::abs(next - tau) <= 1e-16 * std::abs(tau)) break;
    tau = next;
  }
  return tau;
}

void entmax_row(Row& z, double alpha) {
  if (std::abs(alpha - 1) < kSoftmax) return softmax_row(z);
  for (double& v : z) v *= alpha - 1;
  const double tau = threshold(z, alpha), power = 1 / (alpha - 1);
  double sum = 0;
  for (double& v : z) sum += v = v > tau ? std::pow(v - tau, power) : 0;
  for (double& v : z) v /= sum;
}

double slope_of(double p, double alpha) { return p > 0 ? std::pow(p, 2 - alpha) : 0; }

// d loss / d alpha of a row, with e = alpha - 1, s = p ln p and q = p^(2 - alpha) over its sum:
//   sum g ((p - q) / e^2 - (s - q sum(s)) / e); as e goes to 0, sum g p (sum(p ln^2 p) - ln^2 p) / 2.
template <class T>
double alpha_gradient(const T* y, const T* grad, std::int64_t n, double alpha) {
  const double e = alpha - 1;
  double norm = 0, skew = 0, entropy = 0, squares = 0, result = 0;
  for (std::int64_t i = 0; i < n; ++i) norm += static_cast<double>(y[i]);
  for (std::int64_t i = 0; i < n; ++i) {
    const double p = static_cast<double>(y[i]) / norm, l = p > 0 ? std::log(p) : 0;
    skew += slope_of(p, alpha), entropy += p * l, squares += p * l * l;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const double p = static_cast<double>(y[i]) / norm, l = p > 0 ? std::log(p) : 0, q = slope_of(p, alpha) / skew;
    const double d = std::abs(e) < kLimit ? p * (squares - l * l) / 2 : (p - q) / (e * e) - (p * l - q * entropy) / e;
    result += static_cast<double>(grad[i]) * d;
  }
  return result;
}

struct Entmax {
  static constexpr std::string_view name = "entmax";
  static constexpr Policy policy = Policy::statistic;
  int axis;

  Shape row_shape(const Shape& x) const {
    Shape rows = x;
    rows[x.axis(axis, name)] = 1;
    return rows;
  }

  Shapes infer(const Shapes& in) const {
    const Shape rows = row_shape(in[0]);
    bool fits = in[1].rank() <= rows.rank();
    for (int i = 1; fits && i <= in[1].rank(); ++i)
      fits = in[1][in[1].rank() - i] == 1 || in[1][in[1].rank() - i] == rows[rows.rank() - i];
    check(fits, "entmax: expected an alpha that broadcasts to ", rows, ", got ", in[1]);
    return {in[0]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const int a = in[0].shape().axis(axis, name);
    const Tensor each = in[1].to(DType::f64).expand(row_shape(in[0].shape()));
    const Tensor alpha = axis_to_back(each, a).contiguous(Layout::row_major);
    const double* values = alpha.data<double>();
    const Tensor y = kernels::map_rows(axis_to_back(in[0], a).contiguous(Layout::row_major), name,
                                       [&](Row& z, std::int64_t row) { entmax_row(z, values[row]); });
    c.save({y, alpha, in[1]});
    return {axis_to_back(y, a).contiguous(in[0].layout())};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const int a = grads[0].shape().axis(axis, name);
    const Tensor &y = c.saved(0), &alpha = c.saved(1);
    const Tensor g = axis_to_back(grads[0], a).contiguous(Layout::row_major);
    const double* values = alpha.data<double>();
    Tensors out(2);
    if (c.needs(0)) {
      const Tensor dx = kernels::map_rows_back(y, g, name, [&](double p, std::int64_t row) { return slope_of(p, values[row]); });
      out[0] = axis_to_back(dx, a).contiguous(grads[0].layout());
    }
    if (!c.needs(1)) return out;
    Tensor rows = Tensor::empty(alpha.shape(), DType::f64);
    kernels::for_each_axis_row(y, name, 256, [&](auto zero, std::int64_t at, std::int64_t n) {
      using T = decltype(zero);
      rows.data<double>()[at / n] = alpha_gradient(y.data<T>() + at, g.data<T>() + at, n, values[at / n]);
    });
    out[1] = sum_to(axis_to_back(rows, a), c.saved(2).shape()).to(c.saved(2).dtype());
    return out;
  }
};

}  // namespace

Var entmax(const Var& x, const Var& alpha, int axis) { return apply(Entmax{axis}, {x, alpha}); }

Var entmax(const Var& x, double alpha, int axis) { return entmax(x, Var(Tensor::full({1}, alpha, DType::f64)), axis); }

}  // namespace fovea
