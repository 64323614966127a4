#include "modules/nn/norms.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/batch_norm.hpp"
#include "modules/ops/dropout.hpp"
#include "modules/ops/group_norm.hpp"
#include "modules/ops/layer_norm.hpp"

namespace fovea {

BatchNorm2d::BatchNorm2d(const Scope& s, std::int64_t channels, const Options& options)
    : weight(s.param("weight", {channels}, init::constant(options.weight))),
      bias(s.param("bias", {channels}, init::zeros())),
      running_mean(s.buffer("running_mean", {channels}, 0)),
      running_var(s.buffer("running_var", {channels}, 1)),
      batches(s.buffer("num_batches_tracked", {}, 0)),
      path_(s.path()),
      options_(options) {}

Var BatchNorm2d::operator()(const Var& x) const {
  PathScope where(path_);
  const bool training = Training::active() && weight.requires_grad();
  if (training) {
    Tensor count = batches.value();
    count.fill(count.item() + 1);
    count.touch();
  }
  return batch_norm(x, weight, bias, running_mean.value(), running_var.value(), {training, options_.momentum, options_.eps});
}

LayerNorm::LayerNorm(const Scope& s, std::int64_t features, double eps)
    : weight(s.param("weight", {features}, init::ones())),
      bias(s.param("bias", {features}, init::zeros())),
      path_(s.path()),
      eps_(eps) {}

Var LayerNorm::operator()(const Var& x) const {
  PathScope where(path_);
  return layer_norm(x, weight, bias, 1, eps_);
}

GroupNorm::GroupNorm(const Scope& s, int groups, std::int64_t channels, double eps)
    : weight(s.param("weight", {channels}, init::ones())),
      bias(s.param("bias", {channels}, init::zeros())),
      path_(s.path()),
      groups_(groups),
      eps_(eps) {}

Var GroupNorm::operator()(const Var& x) const {
  PathScope where(path_);
  return group_norm(x, groups_, weight, bias, eps_);
}

Dropout::Dropout(double probability) : probability_(probability) {
  check(probability >= 0 && probability < 1, "dropout: expected a probability in [0, 1), got ", probability);
}

Var Dropout::operator()(const Var& x) const {
  return Training::active() && probability_ > 0 ? dropout(x, probability_, true, Training::random()) : x;
}

}  // namespace fovea
