#include "modules/attention/self/favor.hpp"

#include <algorithm>
#include <cmath>

#include "modules/attention/self/features.hpp"
#include "modules/attention/self/token_inputs.hpp"
#include "modules/core/whole.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/positive_features.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"

namespace fovea {

Favor::Options Favor::Options::from(Args& args) {
  Options o;
  o.features = args.get("nb_features", 0, "random features; 0: floor(d ln d) for heads of width d", {0, 65536});
  o.kernel =
      args.get("kernel", "softmax", "softmax, none, or the function of a generalised kernel: relu, elu, softplus, exp, ...");
  o.eps = args.get("eps", -1.0, "added to features; below 0: 1e-4 for softmax, 1e-3 for a generalised kernel");
  o.causal = args.get("causal", false, "each token sees itself and what came before");
  const int scaling = args.get("ortho_scaling", 0, "lengths of the random directions: 0 as of Gaussian rows, 1 sqrt(d)");
  o.redraw_interval = args.get("redraw_interval", 0, "training steps between two draws of the directions; 0: never");
  check(o.features >= 0 && o.redraw_interval >= 0, "performer: expected nb_features and redraw_interval 0 or more");
  check(scaling == 0 || scaling == 1, "performer: expected ortho_scaling 0 or 1, got ", scaling);
  o.fixed_norms = scaling == 1;
  if (o.kernel != "softmax" && o.kernel != "none") feature_map(o.kernel);  // refuses an unknown name
  if (o.eps < 0) o.eps = o.kernel == "softmax" ? 1e-4 : 1e-3;
  return o;
}

Favor::Favor(const Scope& s, std::int64_t d, const Options& o) : Block(s), options_(o) {
  const double width = static_cast<double>(d);
  if (options_.features == 0) options_.features = std::max<std::int64_t>(1, whole(width * std::log(width), "favor: features"));
  if (o.kernel == "none") return;
  projection_ = s.buffer("projection_matrix", {options_.features, d}, orthogonal_features(o.fixed_norms));
  if (o.redraw_interval > 0) calls_ = s.buffer("calls_since_last_redraw", {}, 0);
}

void Favor::maybe_redraw() const {
  if (!calls_.defined() || !Training::active()) return;
  Tensor calls = calls_.value(), projection = projection_.value();
  const double count = calls.item() + 1;
  calls.fill(count >= options_.redraw_interval ? 0 : count);
  calls.touch();
  if (count < options_.redraw_interval) return;
  orthogonal_features(options_.fixed_norms)(projection, Training::random());
  projection.touch();
}

Var Favor::features(const Var& x, bool query) const {
  if (options_.kernel == "none") return query ? softmax(x, 3) : options_.causal ? exp(x) : softmax(x, 2);
  const Var small = scale(x, std::pow(static_cast<double>(x.dim(3)), -0.25));
  const Var u = linear(small, projection_);
  if (options_.kernel != "softmax") return scale(feature_map(options_.kernel)(u), 1, options_.eps);
  return positive_features(u, scale(sum(small * small, {3}), 0.5), options_.eps, !query);
}

Var Favor::operator()(const Var& q_any, const Var& k_any, const Var& v, const Var& mask) const {
  maybe_redraw();
  const Var q = features(q_any, true), k = keep_keys(features(k_any, false), mask);
  const LinearProduct product{.inner_eps = options_.causal ? 1e-6 : 0, .causal = options_.causal};
  if (wants_tap("received")) tap("received", linear_received(q, k, product));
  return linear_product(q, k, v, product);
}

Vars Favor::forward(const Vars& in) const {
  check(in.size() == 3 || in.size() == 4, "expected queries, keys, values and perhaps a mask, got ", in.size(), " values");
  return {(*this)(in[0], in[1], in[2], in.size() == 4 ? in[3] : Var())};
}

FOVEA_PART(favor, "core of performer, between heads: q, k, v of N x h x L x d", "Choromanski et al. 2020, arXiv:2009.14794") {
  return std::make_unique<Favor>(scope, channels, Favor::Options::from(args));
}

}  // namespace fovea
