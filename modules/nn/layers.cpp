#include "modules/nn/layers.hpp"

#include "modules/ops/matmul.hpp"

namespace fovea {
namespace {

Var bias_of(const Scope& scope, bool wanted, std::int64_t out, std::int64_t fan_in) {
  return wanted ? scope.param("bias", {out}, init::fan_in_uniform(fan_in)) : Var();
}

}  // namespace

Conv2d::Conv2d(const Scope& scope, const Options& o)
    : weight(scope.param("weight", {o.out, o.in / o.groups, o.kernel, o.kernel}, init::fan_in_uniform(o.in / o.groups * o.kernel * o.kernel))),
      bias(bias_of(scope, o.bias, o.out, o.in / o.groups * o.kernel * o.kernel)),
      path_(scope.path()),
      options_{.stride = {o.stride, o.stride},
               .dilation = {o.dilation, o.dilation},
               .pad_begin = {o.pad, o.pad},
               .pad_end = {o.pad, o.pad},
               .groups = o.groups,
               .activation = o.activation,
               .slope = o.slope} {
  check(o.in > 0 && o.out > 0 && o.groups > 0 && o.in % o.groups == 0 && o.out % o.groups == 0, path_, ": conv2d: ", o.in, " -> ", o.out,
        " channels do not divide into ", o.groups, " groups");
}

Var Conv2d::operator()(const Var& x, const Var& residual) const {
  PathScope where(path_);
  return conv2d(x, weight, bias, options_, residual);
}

ConvTranspose2d::ConvTranspose2d(const Scope& scope, const Options& o)
    // PyTorch reads fan_in from dimension 1 here too, which is out / groups.
    : weight(scope.param("weight", {o.in, o.out / o.groups, o.kernel, o.kernel}, init::fan_in_uniform(o.out / o.groups * o.kernel * o.kernel))),
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
    : weight(scope.param("weight", {o.out, o.in}, init::fan_in_uniform(o.in))), bias(bias_of(scope, o.bias, o.out, o.in)), path_(scope.path()) {}

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
