#include "tests/support/check_op.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/memory.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "tests/support/catch.hpp"

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

struct Result {
  Tensors values, gradients;  // gradients: one an input, undefined where none is wanted
};

// Rounding of one type. Sums of n terms grow the error by about sqrt(n) in units of the largest magnitude: 64 covers the sums
// of these tests (some thousand terms). bf16 results are rounded once from f32, gradients once more on their way in.
struct Bound {
  double absolute;  // times the largest magnitude of the reference
  double relative;  // times each value
};
constexpr double kF32 = 0x1p-24, kBf16 = 0x1p-8;
Bound value_bound(DType type) { return type == DType::bf16 ? Bound{64 * kF32 + kBf16 / 4, kBf16} : Bound{64 * kF32, 0}; }
Bound gradient_bound(DType type) { return type == DType::bf16 ? Bound{kBf16, 2 * kBf16} : Bound{128 * kF32, 0}; }

class Harness {
 public:
  Harness(const OpFunction& f, const Tensors& inputs, const OpCheck& options) : f_(f), inputs_(inputs), o_(options) {}

  bool wants_gradient(std::size_t i) const { return is_floating(inputs_[i].dtype()) && !o_.fixed.count(i); }

  Vars leaves(const Tensors& inputs, DType type) const {
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

  // Cotangents of a run are random but the same for every type.
  static Tensor cotangent(const Tensor& y, std::size_t index) {
    const Tensor w = random_tensor(y.shape(), 900 + index);
    return w.to(y.dtype());
  }

  void backward(const Vars& outputs) const {
    Tensors cotangents;
    for (std::size_t k = 0; k < outputs.size(); ++k) cotangents.push_back(cotangent(outputs[k].value(), k));
    apply(Weighted{cotangents}, outputs).backward();
  }

  Result run(const Tensors& inputs, DType type) const {
    const Precision precision(type == DType::f64 ? DType::f64 : type);
    Vars in = leaves(inputs, type);
    const Vars out = f_(in);
    Result r;
    for (const Var& v : out) r.values.push_back(v.value());
    backward(out);
    for (const Var& v : in) r.gradients.push_back(v.requires_grad() ? v.grad() : Tensor());
    return r;
  }
  Result run(DType type) const { return run(inputs_, type); }

  void shapes() const {
    INFO("inferred shapes");
    Shapes in;
    for (const Tensor& t : inputs_) in.push_back(t.shape());
    const Trace graph = trace(in, f_);
    const Result real = run(DType::f32);
    REQUIRE(graph.outputs.size() == real.values.size());
    for (std::size_t k = 0; k < real.values.size(); ++k)
      CHECK(graph.values[static_cast<std::size_t>(graph.outputs[k])].shape == real.values[k].shape());
  }

  void against_reference(DType type) const {
    INFO("against f64: " << name_of(type));
    compare(run(type), reference_, type);
  }

  void compare(const Result& got, const Result& want, DType type, double slack = 1) const {
    REQUIRE(got.values.size() == want.values.size());
    for (std::size_t k = 0; k < got.values.size(); ++k) {
      INFO("output " << k);
      close(got.values[k], want.values[k], value_bound(type), slack);
    }
    double gradients = 0;
    for (const Tensor& g : want.gradients) gradients = std::max(gradients, g.defined() ? largest_of(g.values()) : 0);
    for (std::size_t i = 0; i < got.gradients.size(); ++i) {
      INFO("gradient of input " << i);
      REQUIRE(got.gradients[i].defined() == want.gradients[i].defined());
      if (got.gradients[i].defined())
        close(got.gradients[i], want.gradients[i], gradient_bound(type), slack, kCancelled * gradients);
    }
  }

  void directions() const;
  void repeated_backward() const;
  void alone() const;
  void threads_agree() const;
  void strides() const;
  void messages() const;
  void all();

 private:
  static Tensor to_keeping_strides(const Tensor& t, DType type) {
    if (t.is_dense() || t.rank() == 0) return t.to(type).clone();
    return t.dtype() == type ? t : t.to(type);
  }

  // A gradient that is 0 but for rounding (a bias in front of a softmax over what it is added to) has no size of its own: it is
  // held against this part of the largest gradient of all inputs.
  static constexpr double kCancelled = 0.25;

  static double largest_of(const std::vector<double>& values) {
    double largest = 0;
    for (const double v : values)
      if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    return largest;
  }

  void close(const Tensor& got, const Tensor& want, const Bound& bound, double slack, double cancelled = 0) const {
    REQUIRE(got.shape() == want.shape());
    const auto a = got.values(), b = want.values();
    double largest = largest_of(b), worst = 0;
    if (largest < (want.dtype() == DType::f64 ? 1e-12 : 0x1p-16) * cancelled) largest = cancelled;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i]) continue;
      const double limit = o_.conditioning * slack * (bound.absolute * largest + bound.relative * std::abs(b[i])) + 1e-37;
      const double ratio = std::abs(a[i] - b[i]) / limit;
      if (!(ratio <= worst)) worst = ratio;  // keeps a NaN
    }
    CHECK(worst <= 1);
  }

  double loss(const Tensors& inputs) const {
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

  const OpFunction& f_;
  const Tensors& inputs_;
  const OpCheck& o_;
  Result reference_;
};

Tensor moved(const Tensor& x, const Tensor& direction, double h) {
  auto a = x.values();
  const auto b = direction.values();
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += h * b[i];
  return Tensor::from(a, x.shape()).contiguous(x.layout());
}

// (L(x + hv) - L(x - hv)) / 2h: the third derivative costs h^2, rounding eps |L| / h; both are about 1e-10 at h = 1e-5. The
// point is shifted off the bf16 grid first, where ties of a maximum and kinks at round numbers would be; where a kink still
// lies within the step a smaller one steps over it. A wrong gradient is wrong at every step.
void Harness::directions() const {
  Tensors point = inputs_;
  for (std::size_t i = 0; i < point.size(); ++i)
    if (wants_gradient(i)) point[i] = moved(point[i], random_tensor(point[i].shape(), 500 + i), 1e-3);
  const Result at = run(point, DType::f64);
  for (std::uint64_t d = 0; d < 8; ++d) {
    INFO("direction " << d);
    Tensors direction(point.size());
    double along = 0, size = 0;
    for (std::size_t i = 0; i < point.size(); ++i) {
      if (!wants_gradient(i)) continue;
      direction[i] = random_tensor(point[i].shape(), 1000 + 16 * d + i);
      REQUIRE(at.gradients[i].defined());
      const auto g = at.gradients[i].values(), w = direction[i].values();
      for (std::size_t j = 0; j < g.size(); ++j) along += g[j] * w[j], size += std::abs(g[j] * w[j]);
    }
    double best = INFINITY;  // the error in units of what is allowed
    for (const double step : {1e-5, 1e-6, 1e-7}) {
      if (best <= 1) break;
      Tensors plus = point, minus = point;
      for (std::size_t i = 0; i < point.size(); ++i)
        if (direction[i].defined())
          plus[i] = moved(point[i], direction[i], step), minus[i] = moved(point[i], direction[i], -step);
      const double high = loss(plus), difference = (high - loss(minus)) / (2 * step);
      const double allowed = 1e-7 * size * o_.conditioning + 1e-15 * (std::abs(high) + size) / step + 1e-10;
      best = std::min(best, std::abs(difference - along) / allowed);
    }
    CHECK(best <= 1);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  const auto x = a.values(), y = b.values();
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(x.begin(), x.end(), y.begin(), y.end(), [](double p, double q) { return p == q || (p != p && q != q); });
}

// A rerun gives the same bits, so the sum of two is exactly twice one.
void Harness::repeated_backward() const {
  INFO("backward twice");
  const Result once = run(DType::f32);
  Vars in = leaves(inputs_, DType::f32);
  backward(f_(in));
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i].requires_grad() && in[i].grad().defined()) CHECK(same_bits(in[i].grad(), once.gradients[i]));
  backward(f_(in));
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!once.gradients[i].defined()) continue;
    auto twice = once.gradients[i].values();
    for (double& v : twice) v *= 2;
    CHECK(in[i].grad().values() == twice);
  }
}

void Harness::alone() const {
  if (o_.batch_mixing) return;
  INFO("one sample alone");
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (!o_.parameters.count(i)) samples = std::max(samples, inputs_[i].dim(0));
  const Result together = run(DType::f32);
  for (const std::int64_t n : {std::int64_t{0}, samples - 1}) {
    Tensors one = inputs_;
    for (std::size_t i = 0; i < one.size(); ++i)
      if (!o_.parameters.count(i)) one[i] = one[i].slice(0, n, n + 1).clone();
    const NoGrad no_grad;
    const Vars out = f_(leaves(one, DType::f32));
    for (std::size_t k = 0; k < out.size(); ++k)
      close(out[k].value(), together.values[k].slice(0, n, n + 1), value_bound(DType::f32), 2);
  }
}

void Harness::threads_agree() const {
  const int before = threads();
  set_threads(1);
  const Result one = run(DType::f32), reference = run(DType::f64);
  for (const int count : {2, 3}) {
    INFO(count << " threads");
    set_threads(count);
    const Result many = run(DType::f32), many64 = run(DType::f64);
    for (std::size_t k = 0; k < one.values.size(); ++k) {
      CHECK(same_bits(one.values[k], many.values[k]));
      CHECK(same_bits(reference.values[k], many64.values[k]));
    }
    compare(many, one, DType::f32, 2);
  }
  set_threads(before);
}

// Every second element of a larger block of NaN; axes reversed in memory; plain row-major.
Tensor every_second(const Tensor& t) {
  Tensor block = Tensor::full(t.shape().with(t.rank() - 1, 2 * t.dim(-1)), std::nan(""), t.dtype());
  Tensor view = block.slice(t.rank() - 1, 0, 2 * t.dim(-1), 2);
  view.copy_from(t);
  return view;
}
Tensor reversed_in_memory(const Tensor& t) {
  Shape shape, order;
  for (int i = t.rank() - 1; i >= 0; --i) shape.push_back(t.shape()[i]), order.push_back(i);
  Tensor view = Tensor::empty(shape, t.dtype()).permute(order);
  view.copy_from(t);
  return view;
}

void Harness::strides() const {
  if (!o_.strided) return;
  const Result dense = run(DType::f32);
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> variants{
      {"every second element", every_second},
      {"axes reversed in memory", reversed_in_memory},
      {"row-major", [](const Tensor& t) { return t.contiguous(Layout::row_major); }}};
  for (const auto& [what, change] : variants) {
    INFO("inputs: " << what);
    Vars in;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Tensor converted = is_floating(inputs_[i].dtype()) ? inputs_[i].to(DType::f32) : inputs_[i];
      const bool bends = inputs_[i].rank() > 0 && inputs_[i].dtype() != DType::boolean;
      in.emplace_back(bends ? change(converted) : converted, wants_gradient(i));
      if (o_.parameters.count(i)) in.back().mark_parameter();
    }
    const Vars out = f_(in);
    Result r;
    for (const Var& v : out) r.values.push_back(v.value());
    backward(out);
    for (const Var& v : in) r.gradients.push_back(v.requires_grad() ? v.grad() : Tensor());
    compare(r, dense, DType::f32, 2);
  }
}

void Harness::messages() const {
  for (const BadShapes& bad : o_.bad) {
    std::string message = "no error";
    try {
      trace(bad.shapes, f_);
    } catch (const Error& e) { message = e.what(); }
    INFO("error: " << message);
    CHECK(message.find(bad.message) != std::string::npos);
  }
}

void Harness::all() {
  reference_ = run(DType::f64);
  shapes();
  against_reference(DType::f32);
  if (o_.bf16) against_reference(DType::bf16);
  directions();
  repeated_backward();
  alone();
  threads_agree();
  strides();
  messages();
}

struct NanInFreshMemory {
  NanInFreshMemory() { memory::fill_fresh_with_nan(true); }
  ~NanInFreshMemory() { memory::fill_fresh_with_nan(false); }
};

}  // namespace

void check_op(const std::string& name, const OpFunction& f, const Tensors& inputs, const OpCheck& options) {
  INFO("op: " << name);
  const NanInFreshMemory nan;
  Harness(f, inputs, options).all();
}

Tensor random_tensor(const Shape& shape, std::uint64_t seed, double mean, double stddev) {
  Tensor t = Tensor::empty(shape, DType::f64);
  Random(seed).fill_normal(t, mean, stddev);
  t = t.to(DType::bf16).to(DType::f64);
  return shape.rank() == 4 ? t.contiguous(Layout::channels_last) : t;
}

double max_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.values(), y = b.values();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
  return worst;
}

}  // namespace fovea::test
