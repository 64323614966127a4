#include "modules/nn/hard_attention.hpp"

#include "modules/nn/soft_attention.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/choose.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

HardChoice choice(const Var& features, const Var& log_alpha, const Var& chosen) {
  return {SoftAttention::context(features, chosen), sum(chosen * log_alpha, {1}, false), chosen};
}

}  // namespace

HardAttended hard_attention(const Var& features, const Var& logits, const Var& u) {
  check(features.shape().rank() == 3 && logits.shape() == Shape{features.dim(0), features.dim(1)},
        "hard_attention: expected features N x L x E and logits N x L, got ", features.shape(), " and ", logits.shape());
  const Var log_alpha = log_softmax(logits, 1), alpha = softmax(logits, 1);
  HardAttended result{alpha, scale(sum(alpha * log_alpha, {1}, false), -1), {}, {}};
  if (u.defined()) result.sampled = choice(features, log_alpha, one_hot_sample(alpha, u));
  result.largest = choice(features, log_alpha, one_hot_max(logits));
  return result;
}

Reinforce::Reinforce(const Options& options) : o_(options) {
  check(o_.decay >= 0 && o_.decay < 1, "reinforce: expected a decay in [0, 1), got ", o_.decay);
}

Var Reinforce::loss(const Var& reward, const Var& log_chosen, const Var& entropy) {
  check(reward.shape().rank() == 1 && reward.shape() == log_chosen.shape() && reward.shape() == entropy.shape(),
        "reinforce: expected rewards, logarithms and entropies N, got ", reward.shape(), ", ", log_chosen.shape(), " and ",
        entropy.shape());
  const double average = mean(reward.detach(), {0}, false).value().item();
  if (!begun_) baseline_ = average, begun_ = true;
  const Var advantage = scale(reward.detach(), o_.rate, -o_.rate * baseline_);
  const Var gain = reward + advantage * log_chosen + scale(entropy, o_.entropy);
  baseline_ = o_.decay * baseline_ + (1 - o_.decay) * average;
  return scale(mean(gain, {0}, false), -1);
}

}  // namespace fovea
