// Hard attention as a block. Inputs: features N x L x E, logits N x L, perhaps numbers N in [0, 1) that draw. Results: the
// context N x E, log alpha_s, the entropy, and the place s (N each). In training, and with test: sample, the place is drawn; else
// it is the likeliest.
// Tap "attention": N x 1 x 1 x L.
#include "modules/nn/hard_attention.hpp"

#include "modules/nn/constant.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
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
