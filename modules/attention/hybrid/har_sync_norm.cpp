// HAR-Net's step of a subnet, Li et al. 2019, arXiv:1904.11141: one 3x3 convolution for all levels of a pyramid, then group
// normalisation whose mean and variance are taken over all levels together, every position counting once:
//   y_l = relu((conv(x_l) - mean) / sqrt(variance + eps) weight + bias)
// so that levels keep their relative strength and small ones have statistics at all.
// Parameters conv.weight, conv.bias, norm.weight, norm.bias. It makes no maps, so it has no taps.
#include "modules/attention/hybrid/har.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/group_norm.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

HarSyncNorm::HarSyncNorm(const Scope& s, const HarSyncOptions& o)
    : Block(s),
      o_(o),
      conv_(s / "conv",
            {.in = o.channels, .out = o.channels, .kernel = o.kernel, .pad = o.kernel / 2, .init = init::kaiming_normal()}),
      weight_((s / "norm").param("weight", {o.channels}, init::constant(o.scale))),
      bias_((s / "norm").param("bias", {o.channels}, init::zeros())) {}

Vars HarSyncNorm::forward(const Vars& in) const {
  check(static_cast<std::int64_t>(in.size()) == o_.levels, "expected the maps of ", o_.levels, " levels, got ", in.size(),
        " values");
  const std::int64_t n = in[0].dim(0), c = o_.channels;
  Vars positions;  // each N x HW x C: a view of a channels-last map
  for (const Var& x : in) positions.push_back(reshape(permute(conv_(x), {0, 2, 3, 1}), {n, x.dim(2) * x.dim(3), c}));
  const Var all = permute(concat(positions, 1), {0, 2, 1});
  const Var normal = group_norm(all, static_cast<int>(o_.groups), weight_, bias_);
  const Var y = permute(o_.relu ? relu(normal) : normal, {0, 2, 1});
  Vars out;
  std::int64_t first = 0;
  for (const Var& x : in) {
    const std::int64_t next = first + x.dim(2) * x.dim(3);
    out.push_back(permute(reshape(slice(y, 1, first, next), {n, x.dim(2), x.dim(3), c}), {0, 3, 1, 2}));
    first = next;
  }
  return out;
}

FOVEA_LEVELS_BLOCK(har_sync_norm, "convolution and group norm with statistics over all pyramid levels",
                   "Li et al. 2019, arXiv:1904.11141") {
  HarSyncOptions o;
  o.channels = channels;
  o.levels = read_levels(args);
  o.kernel = args.get("kernel", 3, "side of the convolution's kernel, odd");
  const int groups = args.get("groups", 0, "groups of channels (0: 16, or the largest divisor of it that fits)");
  o.relu = args.get("relu", true, "ends in a relu");
  check(o.kernel > 0 && o.kernel % 2 == 1, args.where(), ": kernel must be odd, got ", o.kernel);
  check(groups >= 0 && (groups == 0 || channels % groups == 0), args.where(), ": groups: ", channels,
        " channels do not divide into ", groups);
  o.groups = group_count(groups, 16, {channels});
  return std::make_unique<HarSyncNorm>(scope, o);
}

}  // namespace fovea
