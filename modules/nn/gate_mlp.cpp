#include "modules/nn/gate_mlp.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/whole.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/global_sums.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// The largest value is taken out first, so that exp cannot overflow.
Var log_sum_exp(const Var& x) {
  const Var top = global_max_pool(x);
  return log(sum(exp(x - top), {2, 3})) + top;
}

}  // namespace

std::int64_t squeezed_width(Args& args, std::int64_t channels, const SqueezeDefaults& d, const std::string& where) {
  const int hidden = args.get("hidden", 0, "width of the squeeze; 0: from reduction and divisor");
  const double reduction = args.get("reduction", d.reduction, "channels / reduction is the width of the squeeze");
  const int divisor =
      args.get("divisor", d.divisor, "the width is a multiple of it and at least it; 0: rounded down, at least 1");
  const double limit = args.get("round_limit", d.round_limit, "one divisor more where rounding leaves less than this share");
  check(hidden >= 0 && reduction > 0 && divisor >= 0, where, ": expected hidden >= 0, reduction > 0 and divisor >= 0, got ",
        hidden, ", ", reduction, " and ", divisor);
  if (hidden > 0) return hidden;
  const double width = static_cast<double>(channels) / reduction;
  return divisor == 0 ? std::max<std::int64_t>(1, whole(width, where + ": channels / reduction"))
                      : make_divisible(width, divisor, limit);
}

GateMlp::GateMlp(const Scope& s, const Options& o)
    : fc1_(s / "fc1", {.in = o.in, .out = o.hidden, .bias = o.bias, .bias_init = o.bias_init}),
      fc2_(s / "fc2", {.in = o.hidden, .out = o.out, .bias = o.bias, .bias_init = o.bias_init}),
      act_(activation(o.activation, s.path())) {
  if (o.bn) bn_.emplace(s / "bn", o.hidden);
  for (std::int64_t i = 1; i < o.layers; ++i) {  // numbered as the authors of BAM do
    hidden_.emplace_back(s / "hidden" / i,
                         Linear::Options{.in = o.hidden, .out = o.hidden, .bias = o.bias, .bias_init = o.bias_init});
    if (o.bn) hidden_bn_.emplace_back(s / "hidden_bn" / (i + 1), o.hidden);
  }
}

Var GateMlp::normed(const Var& z, const BatchNorm2d& bn) const {
  return reshape(bn(reshape(z, {z.dim(0), z.dim(1), 1, 1})), z.shape());
}

Var GateMlp::operator()(const Var& pooled) const {
  Var z = fc1_(reshape(pooled, {pooled.dim(0), pooled.dim(1)}));
  if (bn_) z = normed(z, *bn_);
  for (std::size_t i = 0; i < hidden_.size(); ++i) {
    z = hidden_[i](act_(z));
    if (bn_) z = normed(z, hidden_bn_[i]);
  }
  const Var y = fc2_(act_(z));
  return reshape(y, {y.dim(0), y.dim(1), 1, 1});
}

Ties read_ties(Args& args, const std::string& where) {
  const std::string ties = args.get(
      "ties", "first", "of equal maxima gets the gradient: the first (the authors), or all equal ones share it (timm's amax)");
  check(ties == "first" || ties == "equal", where, ": expected ties first or equal, got '", ties, "'");
  return ties == "equal" ? Ties::equal : Ties::first;
}

Pointwise squeeze(const std::string& name, const std::string& where, Ties ties) {
  if (name == "avg") return [](const Var& x) { return global_avg_pool(x); };
  const auto top = ties == Ties::equal ? global_amax : global_max_pool;
  if (name == "max") return top;
  if (name == "avg_max") return [top](const Var& x) { return scale(global_avg_pool(x) + top(x), 0.5); };
  if (name == "lp") return [](const Var& x) { return sqrt(global_sum_squares(x)); };
  if (name == "lse") return log_sum_exp;
  fail(where, ": no pooling is called '", name, "'; there are avg, max, avg_max, lp and lse");
}

}  // namespace fovea
