#include "modules/nn/layers.hpp"

#include <algorithm>

#include "modules/ops/matmul.hpp"

namespace fovea {
namespace {

// The weight, after the check that everything divides: function arguments are evaluated in any
// order, so a member initialiser cannot check first.
Var conv_weight(const Scope& scope, const char* what, std::int64_t in, std::int64_t out, std::int64_t groups, std::int64_t kernel,
                bool transposed, const Init& given = {}) {
  check(in > 0 && out > 0 && groups > 0 && in % groups == 0 && out % groups == 0, scope.path(), ": ", what, ": ", in, " -> ", out,
        " channels do not divide into ", groups, " groups");
  // PyTorch reads fan_in from dimension 1 of transposed weights too, which is out / groups.
  const Shape shape = transposed ? Shape{in, out / groups, kernel, kernel} : Shape{out, in / groups, kernel, kernel};
  return scope.param("weight", shape, given ? given : init::fan_in_uniform(shape[1] * kernel * kernel));
}

Var bias_of(const Scope& scope, bool wanted, std::int64_t out, std::int64_t fan_in, const Init& given = {}) {
  return wanted ? scope.param("bias", {out}, given ? given : init::fan_in_uniform(fan_in)) : Var();
}

}  // namespace

Conv2d::Conv2d(const Scope& scope, const Options& o)
    : weight(conv_weight(scope, "conv2d", o.in, o.out, o.groups, o.kernel, false, o.init)),
      bias(bias_of(scope, o.bias, o.out, o.in / o.groups * o.kernel * o.kernel, o.bias_init)),
      path_(scope.path()),
      options_{.stride = {o.stride, o.stride},
               .dilation = {o.dilation, o.dilation},
               .pad_begin = {o.pad, o.pad},
               .pad_end = {o.pad, o.pad},
               .groups = o.groups,
               .activation = o.activation,
               .slope = o.slope},
      same_(o.same) {}

Var Conv2d::operator()(const Var& x, const Var& residual) const {
  PathScope where(path_);
  if (!same_) return conv2d(x, weight, bias, options_, residual);
  Conv2dOptions fitted = options_;
  for (std::size_t a = 0; a < 2; ++a) {
    const std::int64_t size = x.dim(static_cast<int>(a) + 2), stride = options_.stride[a],
                       reach = options_.dilation[a] * (weight.dim(2) - 1) + 1;
    const std::int64_t whole = std::max<std::int64_t>(0, ((size + stride - 1) / stride - 1) * stride + reach - size);
    fitted.pad_begin[a] = whole / 2;
    fitted.pad_end[a] = whole - whole / 2;
  }
  return conv2d(x, weight, bias, fitted, residual);
}

ConvTranspose2d::ConvTranspose2d(const Scope& scope, const Options& o)
    : weight(conv_weight(scope, "conv_transpose2d", o.in, o.out, o.groups, o.kernel, true)),
      bias(bias_of(scope, o.bias, o.out, o.out / o.groups * o.kernel * o.kernel)),
      path_(scope.path()),
      options_{.stride = {o.stride, o.stride},
               .pad_begin = {o.pad, o.pad},
               .pad_end = {o.pad, o.pad},
               .groups = o.groups,
               .transposed = true,
               .output_pad = {o.output_pad, o.output_pad}} {}

Var ConvTranspose2d::operator()(const Var& x) const {
  PathScope where(path_);
  return conv2d(x, weight, bias, options_);
}

Linear::Linear(const Scope& scope, const Options& o)
    : weight(scope.param("weight", {o.out, o.in}, o.init ? o.init : init::fan_in_uniform(o.in))),
      bias(bias_of(scope, o.bias, o.out, o.in, o.bias_init)),
      path_(scope.path()) {}

Var Linear::operator()(const Var& x) const {
  PathScope where(path_);
  return linear(x, weight, bias);
}

Var Sequential::operator()(const Var& x) const {
  Var y = x;
  for (const auto& member : members_) y = member(y);
  return y;
}

}  // namespace fovea
