// BAM's spatial branch alone: y = x * (1 + sigmoid(m)), m = the logits of bam_logits.hpp; or, with `output: logits`, m itself spread
// over the channels. Park et al. 2018, arXiv:1807.06514. Parameters: see bam_logits.hpp. Tap "spatial": sigmoid(m), N x 1 x H x W.
#include "modules/attention/spatial/bam_logits.hpp"
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class BamSpatial final : public MapBlock {
 public:
  BamSpatial(const Scope& s, const BamLogits::Options& o, bool gated) : MapBlock(s), logits_(s, o), gated_(gated) {}

 protected:
  Var forward(const Var& x) const override {
    const Var m = logits_(x);
    const Var gate = tap("spatial", sigmoid(m));
    return gated_ ? x * scale(gate, 1, 1) : expand(m, x.shape());
  }

 private:
  BamLogits logits_;
  bool gated_;
};

}  // namespace

FOVEA_BLOCK(bam_spatial, "a gate for every position from dilated convolutions", "Park et al. 2018, arXiv:1807.06514") {
  const std::int64_t hidden = squeezed_width(args, channels, {}, "bam_spatial");
  const BamLogits::Options o = BamLogits::read(args, channels, hidden, "bam_spatial");
  const std::string output = args.get("output", "gated", "gated: x (1 + sigmoid(m)); logits: m");
  check(output == "gated" || output == "logits", "bam_spatial: expected output gated or logits, got '", output, "'");
  return std::make_unique<BamSpatial>(scope, o, output == "gated");
}

}  // namespace fovea
