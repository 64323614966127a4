// Attention in attention: u = leaky_relu(conv_first x); weights = softmax(ADM(mean u) / t);
// y = conv_last(leaky_relu(weights_0 attention(u) + weights_1 non_attention(u))) + x. Chen et al. 2021, arXiv:2104.09497.
// Taps "weights": N x 2, from the mean of the whole map; "attention.gate": see attention_branch.hpp.
#include "modules/attention/hybrid/attention_branch.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/mix.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class A2nAab final : public MapBlock {
 public:
  struct Options {
    std::int64_t reduction, plain_kernel;
    double temperature;
  };
  A2nAab(const Scope& s, std::int64_t c, const Options& o)
      : MapBlock(s),
        conv_first_(s / "conv_first", {.in = c, .out = c, .bias = false, .activation = Activation::leaky_relu, .slope = kSlope}),
        conv_last_(s / "conv_last", {.in = c, .out = c, .bias = false}),
        squeeze_(s / "ADM" / 0, {.in = c, .out = c / o.reduction, .bias = false}),
        excite_(s / "ADM" / 2, {.in = c / o.reduction, .out = 2, .bias = false}),
        attention_(s / "attention", c),
        plain_(s / "non_attention", {.in = c, .out = c, .kernel = o.plain_kernel, .pad = o.plain_kernel / 2, .bias = false}),
        temperature_(o.temperature) {}

 protected:
  Var forward(const Var& x) const override {
    const Var u = conv_first_(x);
    const Var logits = excite_(relu(squeeze_(mean(u, {2, 3}, false))));
    const Var weights = tap("weights", softmax(scale(logits, 1.0 / temperature_), 1));
    return conv_last_(mix(weights, {attention_(u), plain_(u)}, kSlope), x);
  }

 private:
  static constexpr double kSlope = 0.2;
  Conv2d conv_first_, conv_last_;
  Linear squeeze_, excite_;
  AttentionBranch attention_;
  Conv2d plain_;
  double temperature_;
};

}  // namespace

FOVEA_BLOCK(a2n_aab, "attention branch and plain branch, mixed per image", "Chen et al. 2021, arXiv:2104.09497") {
  const int reduction = args.get("reduction", 4, "channel squeeze of the mixing weights");
  const int kernel = args.get("plain_kernel", 3, "side of the plain branch's kernel, odd (1 in A2N-M)", {1, 15});
  const double temperature = args.get("temperature", 30.0, "divides the mixing logits");
  check(kernel % 2 == 1 && reduction > 0 && channels >= reduction,
        "a2n_aab: expected an odd plain_kernel and 1 <= reduction <= ", channels);
  return std::make_unique<A2nAab>(scope, channels, A2nAab::Options{reduction, kernel, temperature});
}

}  // namespace fovea
