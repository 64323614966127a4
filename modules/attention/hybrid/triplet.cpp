// Triplet attention: three gates sigmoid(bn(conv_7x7 [max; mean])), each pooling another axis of the map: the rows (a gate for channel
// x column), the columns (channel x row) and the channels (row x column); y = the mean of the gated maps. Misra et al. 2021,
// arXiv:2010.03045. Parameters height.conv.weight, height.bn.*, width.*, spatial.*: the number of channels plays no part.
// Taps "height": N x C x 1 x W; "width": N x C x H x 1; "spatial": N x 1 x H x W.
#include <optional>

#include "modules/attention/spatial/spatial_gate.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class Triplet final : public MapBlock {
 public:
  Triplet(const Scope& s, const SpatialGate::Options& o, bool spatial)
      : MapBlock(s), height_(s / "height", o), width_(s / "width", o) {
    if (spatial) spatial_.emplace(s / "spatial", o);
  }

 protected:
  Var forward(const Var& x) const override {
    // Only the small planes swap, never the map; the mean's factor goes into the gates for the same reason.
    const Shape rows{0, 2, 1, 3}, columns{0, 3, 2, 1};
    const double share = spatial_ ? 1.0 / 3 : 0.5;
    const Var by_row = tap("height", permute(height_(permute(max_mean(x, 2), rows)), rows));
    const Var by_column = tap("width", permute(width_(permute(max_mean(x, 3), columns)), columns));
    Var y = x * scale(by_row, share) + x * scale(by_column, share);
    if (spatial_) y = y + x * scale(tap("spatial", (*spatial_)(max_mean(x, 1))), share);
    return y;
  }

 private:
  SpatialGate height_, width_;
  std::optional<SpatialGate> spatial_;
};

}  // namespace

FOVEA_BLOCK(triplet, "three gates, one for each pair of axes", "Misra et al. 2021, arXiv:2010.03045") {
  SpatialGate::Options o;
  o.kernel = args.get("kernel", 7, "side of the convolutions, odd");
  o.momentum = args.get("momentum", 0.01, "of the norms' running statistics");
  const bool no_spatial = args.get("no_spatial", false, "without the gate over the channels");
  check(o.kernel > 0 && o.kernel % 2 == 1, "triplet: expected an odd kernel, got ", o.kernel);
  return std::make_unique<Triplet>(scope, o, !no_spatial);
}

}  // namespace fovea
