// Hard attention as a block. Inputs: features N x L x E, logits N x L, perhaps numbers N in [0, 1) that draw. Results: the
// context N x E, log alpha_s, the entropy, and the place s (N each). In training, and with test: sample, the place is drawn; else
// it is the likeliest.
// Tap "attention": N x 1 x 1 x L.
#include "modules/attention/cross/hard_attention.hpp"

#include "modules/attention/cross/soft_attention.hpp"
#include "modules/nn/constant.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/choose.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
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

namespace {

class HardAttention final : public Block {
 public:
  HardAttention(const Scope& s, bool sample) : Block(s), sample_(sample) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected features, logits and perhaps numbers that draw, got ", in.size(),
          " values");
    const bool draws = sample_ || Training::active();
    check(!draws || in.size() == 3 || Training::active(),
          "expected numbers N in [0, 1) as the third input, to draw places outside training");
    const HardAttended a = hard_attention(in[0], in[1], !draws ? Var() : in.size() == 3 ? in[2] : numbers(in[1]));
    const HardChoice& s = draws ? a.sampled : a.largest;
    const std::int64_t n = in[1].dim(0), places = in[1].dim(1);
    tap("attention", reshape(a.alpha, {n, 1, 1, places}));
    std::vector<float> index;
    for (std::int64_t i = 0; i < places; ++i) index.push_back(static_cast<float>(i));
    const Var place = sum(s.chosen * constant_like(Tensor::from(index, {1, places}), s.chosen), {1}, false);
    return {s.context, s.log_chosen, a.entropy, place};
  }

 private:
  static Var numbers(const Var& logits) {
    Tensor u = Tensor::empty({logits.dim(0)});
    Training::random().fill_uniform(u, 0, 1);
    return constant_like(u, logits);
  }
  bool sample_;
};

}  // namespace

FOVEA_SEQUENCES(hard_attention, "one place of a picture, drawn by the weights or the likeliest",
                "Xu et al. 2015, arXiv:1502.03044") {
  const std::string test = args.get("test", "argmax", "outside training: argmax, or sample by numbers that are an input");
  check(test == "argmax" || test == "sample", "hard_attention: expected test argmax or sample, got '", test, "'");
  return std::make_unique<HardAttention>(scope, test == "sample");
}

}  // namespace fovea
