// Bottleneck attention: y = x * (1 + sigmoid(Mc * Ms)), Mc = fc2 relu(bn(fc1 mean_HW x)), Ms from dilated convolutions (bam_logits.hpp).
// Park et al. 2018, arXiv:1807.06514: the paper adds, Mc + Ms (`combine: sum`), the authors' code multiplies.
// Parameters channel.fc1.*, channel.bn.*, channel.fc2.*, spatial.*; with num_layers channel.hidden.1.*, channel.hidden_bn.2.*, ... Taps "channel": sigmoid(Mc), N x C x 1 x 1; "spatial": sigmoid(Ms),
// N x 1 x H x W; "gate": sigmoid of the two together, N x C x H x W.
#include "modules/attention/spatial/bam_logits.hpp"
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class Bam final : public MapBlock {
 public:
  Bam(const Scope& s, std::int64_t c, const BamLogits::Options& o, std::int64_t layers, bool sum)
      : MapBlock(s),
        channel_(s / "channel",
                 {.in = c, .hidden = o.hidden, .out = c, .bn = true, .bias_init = init::zeros(), .layers = layers}),
        spatial_(s / "spatial", o),
        sum_(sum) {}

 protected:
  Var forward(const Var& x) const override {
    const Var channel = channel_(global_avg_pool(x)), spatial = spatial_(x);
    tap("channel", sigmoid(channel));
    tap("spatial", sigmoid(spatial));
    const Var gate = tap("gate", sigmoid(sum_ ? channel + spatial : channel * spatial));
    return x * scale(gate, 1, 1);
  }

 private:
  GateMlp channel_;
  BamLogits spatial_;
  bool sum_;
};

}  // namespace

FOVEA_BLOCK(bam, "one gate from channels and positions together", "Park et al. 2018, arXiv:1807.06514") {
  const std::int64_t hidden = squeezed_width(args, channels, {}, "bam");
  const BamLogits::Options o = BamLogits::read(args, channels, hidden, "bam");
  const int layers = args.get("num_layers", 1, "hidden layers of the channel gate", {1, 64});
  const std::string combine = args.get("combine", "product", "product (the authors' code) or sum (the paper)");
  check(combine == "product" || combine == "sum", "bam: expected combine product or sum, got '", combine, "'");
  return std::make_unique<Bam>(scope, channels, o, layers, combine == "sum");
}

}  // namespace fovea
