#include "modules/nn/norms.hpp"

#include <cmath>
#include <limits>

#include "modules/autograd/apply.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/batch_norm.hpp"
#include "modules/ops/dropout.hpp"
#include "modules/ops/group_norm.hpp"
#include "modules/ops/layer_norm.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

BatchNorm2d::BatchNorm2d(const Scope& s, std::int64_t channels, const Options& options)
    : weight(s.param("weight", {channels}, init::constant(options.weight))),
      bias(s.param("bias", {channels}, init::zeros())),
      running_mean(s.buffer("running_mean", {channels}, 0)),
      running_var(s.buffer("running_var", {channels}, 1)),
      batches(s.buffer("num_batches_tracked", {}, 0)),
      path_(s.path()),
      options_(options) {}

bool BatchNorm2d::training() const {
  const bool on = Training::active() && weight.requires_grad();
  if (!on) return false;
  Tensor count = batches.value();
  count.fill(count.item() + 1);
  count.touch();
  return true;
}

Var BatchNorm2d::operator()(const Var& x) const {
  PathScope where(path_);
  return batch_norm(x, weight, bias, running_mean.value(), running_var.value(), {training(), options_.momentum, options_.eps});
}

// Outside training the two stay apart: there the norm folds into the convolution in front of it.
Var BatchNorm2d::clamped(const Var& x, double high) const {
  PathScope where(path_);
  const BatchNormOptions options{training(), options_.momentum, options_.eps};
  if (options.training) return batch_norm_clamp(x, weight, bias, running_mean.value(), running_var.value(), options, 0, high);
  const Var y = batch_norm(x, weight, bias, running_mean.value(), running_var.value(), options);
  return std::isinf(high) ? fovea::relu(y) : fovea::relu6(y);
}

Var BatchNorm2d::relu(const Var& x) const { return clamped(x, std::numeric_limits<double>::infinity()); }
Var BatchNorm2d::relu6(const Var& x) const { return clamped(x, 6); }

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
  Random* random = Dropping::random();
  return random && probability_ > 0 ? dropout(x, probability_, true, *random) : x;
}

DropBlock::DropBlock(const Options& options) : options_(options) {
  check(options.probability >= 0 && options.probability < 1, "drop_block: expected a probability in [0, 1), got ",
        options.probability);
}

Var DropBlock::operator()(const Var& x) const {
  Random* random = Dropping::random();
  return random && options_.probability > 0 ? drop_block(x, options_.probability, options_.block, true, *random) : x;
}

}  // namespace fovea
