// Non-local block: y = x + out(sum_j f(x_i, x_j) g(x_j)), with theta, phi, g 1x1 convolutions to fewer channels and
//   gaussian            f = softmax(scale x_i . x_j)
//   embedded_gaussian   f = softmax(scale theta(x_i) . phi(x_j))
//   dot_product         f = theta(x_i) . phi(x_j) / S; computed as theta (phi^T g), of linear cost, unless its map is asked for
//   concatenation       f = relu(w . [theta(x_i), phi(x_j)]) / S; of linear cost too, by order: see relu_pairs
// S is the number of keys: all positions, or those left by 2x2 max pooling. Wang et al. 2018, arXiv:1711.07971.
// Parameters (mmcv's names) g.conv, theta.conv, phi.conv, conv_out.conv: weight, bias; conv_out.bn.*; concat_project.conv.weight.
// Tap "attention": N x 1 x L x S.
#include <cmath>
#include <optional>

#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/relu_pairs.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct Options {
  std::string mode;
  std::int64_t inner = 0;
  double scale = 1;
  bool sub_sample = false, norm = false, out_bias = true, zero_start = true;
};

Scope quiet(const Scope& s, std::int64_t channels) { return s.starting("bias", {channels}, init::zeros()); }

class NonLocal final : public MapBlock {
 public:
  NonLocal(const Scope& s, std::int64_t c, const Options& o)
      : MapBlock(s), options_(o), g_(quiet(s / "g" / "conv", o.inner), {.in = c, .out = o.inner, .init = init::normal(0, 0.01)}) {
    const Conv2d::Options projection{.in = c, .out = o.inner, .init = init::normal(0, 0.01)};
    if (o.mode != "gaussian") {
      theta_.emplace(quiet(s / "theta" / "conv", o.inner), projection);
      phi_.emplace(quiet(s / "phi" / "conv", o.inner), projection);
    }
    if (o.mode == "concatenation")
      pair_ = (s / "concat_project" / "conv").param("weight", {1, 2 * o.inner, 1, 1}, init::kaiming_normal());
    const bool zero = o.zero_start && !o.norm;
    Scope out = s / "conv_out" / "conv";
    if (o.out_bias && zero) out = quiet(out, c);
    out_.emplace(out, Conv2d::Options{.in = o.inner, .out = c, .bias = o.out_bias, .init = zero ? init::zeros() : Init()});
    if (!o.norm) return;
    const Scope bn = s / "conv_out" / "bn";
    norm_.emplace(o.zero_start ? bn.starting("weight", {c}, init::zeros()) : bn, c);
  }

 protected:
  Var forward(const Var& x) const override {
    const Var t = to_tokens(theta_ ? (*theta_)(x) : x), p = to_tokens(pooled(phi_ ? (*phi_)(x) : x)),
              g = to_tokens(pooled(g_(x)));
    const Var y = to_map(gathered(t, p, g), x.dim(2), x.dim(3));
    return norm_ ? x + (*norm_)((*out_)(y)) : (*out_)(y, x);
  }

 private:
  Var pooled(const Var& v) const { return options_.sub_sample ? max_pool2d(v, {.kernel = 2}) : v; }

  Var gathered(const Var& t, const Var& p, const Var& g) const {
    const double share = 1.0 / static_cast<double>(p.dim(1));
    if (options_.mode == "gaussian" || options_.mode == "embedded_gaussian") return attend_tokens(t, p, g, options_.scale);
    if (wants_tap("attention"))
      return by_weights(scale(options_.mode == "concatenation" ? relu(pairs(t, p)) : matmul(t, transposed(p)), share), g);
    if (options_.mode == "dot_product") return scale(matmul(t, matmul(transposed(p), g)), share);
    const Shape queries{t.dim(0), t.dim(1)}, keys{p.dim(0), p.dim(1)};
    return scale(relu_pairs(reshape(part(t, 0), queries), reshape(part(p, 1), keys), g), share);
  }

  Var by_weights(const Var& f, const Var& g) const {
    const Var map = tap("attention", reshape(f, {f.dim(0), 1, f.dim(1), f.dim(2)}));
    return matmul(reshape(map, f.shape()), g);
  }

  // w . [theta_i, phi_j] is a sum of one number a query and one a key.
  Var pairs(const Var& t, const Var& p) const { return part(t, 0) + transposed(part(p, 1)); }

  Var part(const Var& tokens, std::int64_t half) const {  // N x L x 1
    const std::int64_t c = options_.inner;
    return linear(tokens, slice(reshape(pair_, {1, 2 * c}), 1, half * c, (half + 1) * c));
  }

  Options options_;
  Conv2d g_;
  std::optional<Conv2d> theta_, phi_, out_;
  std::optional<BatchNorm2d> norm_;
  Var pair_;
};

double scale_of(const std::string& name, std::int64_t channels, std::int64_t inner) {
  check(name == "none" || name == "inter" || name == "channels", "non_local: expected scale none, inter or channels, got '", name,
        "'");
  if (name == "none") return 1;
  return 1 / std::sqrt(static_cast<double>(name == "inter" ? inner : channels));
}

}  // namespace

FOVEA_BLOCK(non_local, "every position attends to every other", "Wang et al. 2018, arXiv:1711.07971") {
  Options o;
  o.mode = args.get("mode", "embedded_gaussian", "gaussian, embedded_gaussian, dot_product or concatenation");
  check(o.mode == "gaussian" || o.mode == "embedded_gaussian" || o.mode == "dot_product" || o.mode == "concatenation",
        "non_local: expected mode gaussian, embedded_gaussian, dot_product or concatenation, got '", o.mode, "'");
  const int reduction = args.get("reduction", 2, "channel squeeze of theta, phi and g");
  const int inner = args.get("inter_channels", 0, "channels of theta, phi and g; 0: channels / reduction");
  check(reduction > 0 && inner >= 0, "non_local: expected reduction above 0 and inter_channels 0 or more");
  o.inner = inner > 0 ? inner : std::max<std::int64_t>(1, channels / reduction);
  const bool embedded = o.mode == "embedded_gaussian";
  o.scale = scale_of(
      args.get("scale", embedded ? "inter" : "none", "of the softmax: none, inter (1 / sqrt of inter channels) or channels"),
      channels, o.inner);
  o.sub_sample = args.get("sub_sample", false, "2x2 max pooling of keys and values");
  o.norm = args.get("bn_layer", false, "batch norm behind the output convolution");
  o.out_bias = args.get("out_bias", true, "bias of the output convolution");
  o.zero_start = args.get("zero_start", true, "start as the identity");
  return std::make_unique<NonLocal>(scope, channels, o);
}

}  // namespace fovea
