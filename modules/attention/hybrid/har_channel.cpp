// HAR-Net's channel attention, Li et al. 2019, arXiv:1904.11141: one squeeze and excitation over all levels of a pyramid,
//   s = sigmoid(up(relu(down(z)))), z[c L + l] = mean of channel c of level l; y_l = x_l s for every level.
// Parameters down.weight (squeeze x C L), down.bias, up.weight (C x squeeze), up.bias; weights start at N(0, 0.01).
// Tap "channel": N x C x 1 x 1, the same for all levels.
#include "modules/attention/hybrid/har.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

HarChannel::HarChannel(const Scope& s, std::int64_t c, std::int64_t levels, std::int64_t squeeze)
    : Block(s),
      levels_(levels),
      down_(s / "down", {.in = c * levels, .out = squeeze, .init = init::normal(0, 0.01)}),
      up_(s / "up", {.in = squeeze, .out = c, .init = init::normal(0, 0.01)}) {}

Vars HarChannel::forward(const Vars& in) const {
  check(static_cast<std::int64_t>(in.size()) == levels_, "expected the maps of ", levels_, " levels, got ", in.size(), " values");
  const std::int64_t n = in[0].dim(0), c = in[0].dim(1);
  Vars means;
  for (const Var& x : in) means.push_back(reshape(global_avg_pool(x), {n, c, 1}));
  const Var hidden = relu(down_(reshape(concat(means, 2), {n, c * levels_})));
  const Var factors = tap("channel", reshape(sigmoid(up_(hidden)), {n, c, 1, 1}));
  Vars out;
  for (const Var& x : in) out.push_back(x * factors);
  return out;
}

FOVEA_LEVELS_BLOCK(har_channel, "one channel gate from, and for, all pyramid levels", "Li et al. 2019, arXiv:1904.11141") {
  const std::int64_t levels = read_levels(args);
  const int squeeze = args.get("squeeze", 0, "hidden width (0: an eighth of the channels)");
  check(squeeze >= 0, args.where(), ": squeeze must not be negative, got ", squeeze);
  return std::make_unique<HarChannel>(scope, channels, levels, squeeze > 0 ? squeeze : std::max<std::int64_t>(1, channels / 8));
}

}  // namespace fovea
