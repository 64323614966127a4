#include "pipeline/tasks/highlight/whitening.hpp"

#include <algorithm>
#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"

namespace fovea {
namespace {

constexpr double kShrink = 1e-2;       // of the mean variance, added to each
constexpr std::int64_t kBlock = 4096;  // rows whose products are summed in f32; blocks in f64

using Square = std::vector<double>;  // C x C, row-major

// A block of rows without their mean.
Tensor centred(const Tensor& rows, std::int64_t first, const Tensor& mean) {
  return (Var(rows.slice(0, first, std::min(first + kBlock, rows.dim(0)))) - Var(mean)).value();
}

Tensor mean_of(const Tensor& rows) {
  std::vector<double> sum(static_cast<std::size_t>(rows.dim(1)));
  const float* at = rows.data<float>();
  for (std::int64_t r = 0; r < rows.dim(0); ++r)
    for (double& s : sum) s += *at++;
  std::vector<float> mean;
  for (const double s : sum) mean.push_back(static_cast<float>(s / static_cast<double>(rows.dim(0))));
  return Tensor::from(mean, {rows.dim(1)});
}

Square covariance(const Tensor& rows, const Tensor& mean) {
  Square sum(static_cast<std::size_t>(rows.dim(1) * rows.dim(1)));
  for (std::int64_t first = 0; first < rows.dim(0); first += kBlock) {
    const Tensor block = centred(rows, first, mean);
    const std::vector<double> products =
        matmul(Var(block.permute({1, 0}).contiguous(Layout::row_major)), Var(block)).value().values();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += products[i];
  }
  for (double& s : sum) s /= static_cast<double>(rows.dim(0));
  return sum;
}

// Lower triangle L with L L^T = a.
Square cholesky(const Square& a, std::size_t n) {
  Square l(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k <= i; ++k) {
      double sum = a[i * n + k];
      for (std::size_t j = 0; j < k; ++j) sum -= l[i * n + j] * l[k * n + j];
      l[i * n + k] = i == k ? std::sqrt(sum) : sum / l[k * n + k];
    }
  return l;
}

Square inverse_of_lower(const Square& l, std::size_t n) {
  Square out(n * n);
  for (std::size_t c = 0; c < n; ++c)
    for (std::size_t i = c; i < n; ++i) {
      double sum = i == c ? 1 : 0;
      for (std::size_t k = c; k < i; ++k) sum -= l[i * n + k] * out[k * n + c];
      out[i * n + c] = sum / l[i * n + i];
    }
  return out;
}

}  // namespace

Tensor Whitening::operator()(const Tensor& rows) const {
  NoGrad no_grad;
  Tensor out = Tensor::empty(rows.shape());
  const Var turned(weights.permute({1, 0}).contiguous(Layout::row_major));
  for (std::int64_t first = 0; first < rows.dim(0); first += kBlock)
    out.slice(0, first, std::min(first + kBlock, rows.dim(0))).copy_from(matmul(Var(centred(rows, first, mean)), turned).value());
  return out;
}

Whitening whitening_of(const Tensor& rows) {
  NoGrad no_grad;
  const auto n = static_cast<std::size_t>(rows.dim(1));
  const Tensor mean = mean_of(rows);
  Square spread = covariance(rows, mean);
  double variance = 0;
  for (std::size_t c = 0; c < n; ++c) variance += spread[c * n + c] / static_cast<double>(n);
  for (std::size_t c = 0; c < n; ++c) spread[c * n + c] += variance > 0 ? kShrink * variance : 1;
  const Square inverse = inverse_of_lower(cholesky(spread, n), n);
  return {mean, Tensor::from(std::vector<float>(inverse.begin(), inverse.end()), {rows.dim(1), rows.dim(1)})};
}

}  // namespace fovea
