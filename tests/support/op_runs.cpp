#include <algorithm>
#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/op_harness.hpp"

namespace fovea::test {
namespace {

// sum(cotangent * y) over all outputs at once: an op with several outputs runs backward once. Only the gradient matters here.
struct Weighted {
  static constexpr std::string_view name = "weighted";
  static constexpr Policy policy = Policy::statistic;
  Tensors cotangents;
  Shapes infer(const Shapes&) const { return {Shape{}}; }
  Tensors forward(Context&, const Tensors&) const { return {Tensor::zeros({}, DType::f64)}; }
  Tensors backward(Context& c, const Tensors&) const {
    Tensors out(cotangents.size());
    for (std::size_t k = 0; k < out.size(); ++k)
      if (c.needs(k)) out[k] = cotangents[k];
    return out;
  }
};

// Cotangents of a run are random but the same for every type.
Tensor cotangent(const Tensor& y, std::size_t index) { return random_tensor(y.shape(), 900 + index).to(y.dtype()); }

Tensor to_keeping_strides(const Tensor& t, DType type) {
  if (t.is_dense() || t.rank() == 0) return t.to(type).clone();
  return t.dtype() == type ? t : t.to(type);
}

// Sums of n terms grow the error by about sqrt(n) in units of the largest magnitude: 64 covers the sums of these tests (some
// thousand terms). bf16 results are rounded once from f32, gradients once more on their way in.
constexpr double kF32 = 0x1p-24, kBf16 = 0x1p-8;

// A gradient that is 0 but for rounding (a bias in front of a softmax over what it is added to) has no size of its own: it is
// held against this part of the largest gradient of all inputs.
constexpr double kCancelled = 0.25;

}  // namespace

Bound value_bound(DType type) { return type == DType::bf16 ? Bound{64 * kF32 + kBf16 / 4, kBf16} : Bound{64 * kF32, 0}; }
Bound gradient_bound(DType type) { return type == DType::bf16 ? Bound{kBf16, 2 * kBf16} : Bound{128 * kF32, 0}; }

Vars OpHarness::leaves(const Tensors& inputs, DType type) const {
  Vars vars;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool parameter = o_.parameters.count(i) > 0;
    const bool converts = is_floating(inputs[i].dtype());
    const DType to = !converts ? inputs[i].dtype() : parameter && type == DType::bf16 ? DType::f32 : type;
    Var v(to_keeping_strides(inputs[i], to), wants_gradient(i));
    if (parameter) v.mark_parameter();
    vars.push_back(v);
  }
  return vars;
}

void OpHarness::backward(const Vars& outputs) const {
  Tensors cotangents;
  for (std::size_t k = 0; k < outputs.size(); ++k) cotangents.push_back(cotangent(outputs[k].value(), k));
  apply(Weighted{cotangents}, outputs).backward();
}

OpResult OpHarness::results(const Vars& in) const {
  const Vars out = f_(in);
  OpResult r;
  for (const Var& v : out) r.values.push_back(v.value());
  backward(out);
  for (const Var& v : in) r.gradients.push_back(v.requires_grad() ? v.grad() : Tensor());
  return r;
}

OpResult OpHarness::run(const Tensors& inputs, DType type) const {
  const Precision precision(type);
  return results(leaves(inputs, type));
}

double OpHarness::loss(const Tensors& inputs) const {
  const NoGrad no_grad;
  const Precision precision(DType::f64);
  const Vars out = f_(leaves(inputs, DType::f64));
  double sum = 0;
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (!is_floating(out[k].dtype())) continue;
    const auto y = out[k].value().values(), w = cotangent(out[k].value(), k).values();
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * w[i];
  }
  return sum;
}

void OpHarness::close(const Tensor& got, const Tensor& want, const Bound& bound, double slack, double cancelled) const {
  REQUIRE(got.shape() == want.shape());
  const auto a = got.values(), b = want.values();
  double largest = largest_of(want), worst = 0;
  if (largest < (want.dtype() == DType::f64 ? 1e-12 : 0x1p-16) * cancelled) largest = cancelled;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    const double limit = o_.conditioning * slack * (bound.absolute * largest + bound.relative * std::abs(b[i])) + 1e-37;
    const double ratio = std::abs(a[i] - b[i]) / limit;
    worst = std::isnan(ratio) ? INFINITY : std::max(worst, ratio);
  }
  CHECK(worst <= 1);
}

void OpHarness::compare(const OpResult& got, const OpResult& want, DType type, double slack) const {
  REQUIRE(got.values.size() == want.values.size());
  for (std::size_t k = 0; k < got.values.size(); ++k) {
    INFO("output " << k);
    close(got.values[k], want.values[k], value_bound(type), slack);
  }
  double gradients = 0;
  for (const Tensor& g : want.gradients) gradients = std::max(gradients, g.defined() ? largest_of(g) : 0);
  for (std::size_t i = 0; i < got.gradients.size(); ++i) {
    INFO("gradient of input " << i);
    REQUIRE(got.gradients[i].defined() == want.gradients[i].defined());
    if (got.gradients[i].defined())
      close(got.gradients[i], want.gradients[i], gradient_bound(type), slack, kCancelled * gradients);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  const auto x = a.values(), y = b.values();
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(x.begin(), x.end(), y.begin(), y.end(), [](double p, double q) { return p == q || (p != p && q != q); });
}

}  // namespace fovea::test
