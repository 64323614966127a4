// Soft attention as a block. Inputs: features N x L x E, state N x D, perhaps booleans N x L (true: may attend). Results: context
// N x E, weights N x L; tap "attention" (N x 1 x 1 x L).
#include "modules/nn/soft_attention.hpp"

#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {

namespace {

class SoftAttentionBlock final : public Block {
 public:
  SoftAttentionBlock(const Scope& s, const SoftAttention::Options& o) : Block(s), attention_(s, o) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected features, a state and perhaps a mask, got ", in.size(), " values");
    check(in[0].shape().rank() == 3 && in[1].shape().rank() == 2 && in[0].dim(0) == in[1].dim(0),
          "expected features N x L x E and states N x D, got ", in[0].shape(), " and ", in[1].shape());
    const Shape places{in[0].dim(0), 1, 1, in[0].dim(1)}, flat{in[0].dim(0), in[0].dim(1)};
    const Var w = attention_.weights(attention_.keys(in[0]), in[1], in.size() == 3 ? in[2] : Var());
    const Var alpha = reshape(tap("attention", reshape(w, places)), flat);
    return {SoftAttention::context(in[0], alpha), alpha};
  }

 private:
  SoftAttention attention_;
};

}  // namespace

FOVEA_SEQUENCES(soft_attention, "a state looks at the places of a picture: their weighted mean",
                "Xu et al. 2015, arXiv:1502.03044") {
  SoftAttention::Options o;
  o.features = channels;
  o.state = args.get("decoder_dim", static_cast<int>(channels), "width of the state");
  o.width = args.get("attention_dim", static_cast<int>(channels), "width of the network that scores");
  o.act = args.get("act", "relu", "its activation; tanh in the paper");
  check(o.state > 0 && o.width > 0, "soft_attention: expected decoder_dim and attention_dim >= 1, got ", o.state, " and ",
        o.width);
  return std::make_unique<SoftAttentionBlock>(scope, o);
}

}  // namespace fovea
