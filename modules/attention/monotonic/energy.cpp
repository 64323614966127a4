#include "modules/attention/monotonic/energy.hpp"

#include <cmath>
#include <limits>

#include "modules/attention/self/tokens.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kKernel = 5;

Linear::Options projection(const HeadEnergy::Options& o, std::int64_t in, bool bias) {
  Linear::Options l{.in = in, .out = o.width, .bias = bias};
  if (o.xavier && !o.add) l.init = init::xavier_uniform(1 / std::sqrt(2.0)), l.bias_init = init::zeros();
  return l;
}

}  // namespace

HeadEnergy::HeadEnergy(const Scope& s, const Options& o)
    : o_(o),
      key_(s / "w_key", projection(o, o.keys, o.add || o.bias)),
      query_(s / "w_query", projection(o, o.queries, !o.add && o.bias)) {
  if (o.add && o.monotonic) normed_.emplace(s / "v", o.width, o.heads, false);
  else if (o.add) plain_.emplace(s / "v", Linear::Options{.in = o.width, .out = o.heads, .bias = false});
  if (!o.monotonic) return;
  r_ = s.param("r", {1}, init::constant(o.r));
  if (!o.conv) return;
  const Scope c = s / "conv1d";
  conv_weight_ =
      c.param("weight", {o.keys, o.keys, kKernel}, init::normal(0, 1 / std::sqrt(static_cast<double>(o.keys * kKernel))));
  conv_bias_ = c.param("bias", {o.keys}, init::zeros());
}

Var HeadEnergy::convolved(const Var& key) const {
  const std::int64_t n = key.dim(0), s = key.dim(1), e = key.dim(2);
  const Var row = reshape(permute(key, {0, 2, 1}), {n, e, 1, s});
  Conv2dOptions o;
  o.pad_begin = o.pad_end = {0, kKernel / 2};
  const Var y = relu(conv2d(row, reshape(conv_weight_, {e, e, 1, kKernel}), conv_bias_, o, {}));
  return permute(reshape(y, {n, e, s}), {0, 2, 1});
}

Var HeadEnergy::operator()(const Var& given, const Var& query, const Var& keep) const {
  const Var key = conv_weight_.defined() ? convolved(given) : given;
  const Var k = key_(key), q = query_(query);
  const std::int64_t n = k.dim(0), s = k.dim(1), l = q.dim(1);
  Var e;
  if (o_.add) {
    const Var hidden = relu(reshape(k, {n, 1, s, o_.width}) + reshape(q, {n, l, 1, o_.width}));
    e = permute(normed_ ? (*normed_)(hidden) : (*plain_)(hidden), {0, 3, 1, 2});
  } else {
    e = scale(matmul(split_heads(q, o_.heads), transposed(split_heads(k, o_.heads))),
              1 / std::sqrt(static_cast<double>(o_.width)));
  }
  if (r_.defined()) e = e + r_;
  return keep.defined() ? where(keep, e, scale(e, 0, std::numeric_limits<float>::lowest())) : e;
}

}  // namespace fovea
