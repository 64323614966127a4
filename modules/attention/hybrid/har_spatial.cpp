// HAR-Net's spatial attention, Li et al. 2019, arXiv:1904.11141: per pyramid level, with weights of its own,
//   mask = sigmoid(conv3x3(F4(F3(F2(F1 x))))), F_i = relu(group_norm(dilated conv3x3)) with dilations 1, 2, 5, 2 and 16 channels.
// The norm has no parameters; the authors' first network leaves it out (groups: 0).
// Takes `levels` maps and gives each times its mask; or those and then m features of each level (its m one after another), and
// gives the features times the mask of their level, which is how both subnets of a detector share one mask.
// Parameters levels.L.convs.I.weight and .bias, levels.L.out.weight and .bias; weights start at N(0, 0.01).
// Tap "levels.L.spatial": N x 1 x H x W.
#include <numeric>

#include "modules/attention/hybrid/har.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/group_norm.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class HarSpatial final : public Block {
 public:
  HarSpatial(const Scope& s, std::int64_t levels, const HarMaskOptions& o) : Block(s) {
    for (std::int64_t i = 0; i < levels; ++i) masks_.push_back(std::make_unique<HarMask>(s / "levels" / i, o));
  }

 protected:
  Vars forward(const Vars& in) const override {
    const std::size_t levels = masks_.size();
    check(in.size() >= levels && in.size() % levels == 0, "expected the maps of ", levels,
          " levels, perhaps followed by features of each, got ", in.size(), " values");
    Vars out;
    const std::size_t features = in.size() / levels - 1;
    for (std::size_t i = 0; i < levels; ++i) {
      const Var mask = (*masks_[i])(in[i]);
      if (features == 0) out.push_back(in[i] * mask);
      for (std::size_t f = 0; f < features; ++f) out.push_back(in[levels + i * features + f] * mask);
    }
    return out;
  }

 private:
  std::vector<std::unique_ptr<HarMask>> masks_;
};

Conv2d::Options conv3x3(std::int64_t in, std::int64_t out, std::int64_t dilation, bool relu) {
  Conv2d::Options o;
  o.in = in, o.out = out, o.kernel = 3, o.pad = dilation, o.dilation = dilation;
  o.activation = relu ? Activation::relu : Activation::none;
  o.init = init::normal(0, 0.01);
  return o;
}

}  // namespace

std::int64_t read_levels(Args& args) {
  const int levels = args.get("levels", 5, "levels of the feature pyramid", {1, 64});
  check(levels > 0, args.where(), ": levels must be positive, got ", levels);
  return levels;
}

std::int64_t group_count(std::int64_t wanted, std::int64_t usual, const std::vector<std::int64_t>& channels) {
  if (wanted > 0) return wanted;
  for (const std::int64_t c : channels) usual = std::gcd(usual, c);
  return usual;
}

HarMaskOptions read_mask_options(std::int64_t channels, Args& args, const std::string& groups_name) {
  HarMaskOptions o;
  o.in = channels;
  o.width = args.get("mask_channels", 16, "channels of the mask's convolutions");
  o.dilations = args.list("dilations", o.dilations, "dilations of the mask's convolutions");
  o.groups = args.get(groups_name, 4, "groups of the mask's norms (0: no norms)");
  check(o.width > 0 && o.groups >= 0 && (o.groups == 0 || o.width % o.groups == 0), args.where(), ": mask_channels: ", o.width,
        " do not divide into ", o.groups, " groups");
  check(!o.dilations.empty(), args.where(), ": dilations: expected at least one");
  for (const int d : o.dilations) check(d > 0, args.where(), ": dilations must be positive, got ", d);
  return o;
}

HarMask::HarMask(const Scope& s, const HarMaskOptions& o)
    : MapBlock(s), out_(s / "out", conv3x3(o.width, 1, 1, false)), groups_(static_cast<int>(o.groups)) {
  std::int64_t in = o.in;
  for (std::size_t i = 0; i < o.dilations.size(); ++i, in = o.width)
    convs_.emplace_back(s / "convs" / static_cast<std::int64_t>(i), conv3x3(in, o.width, o.dilations[i], groups_ == 0));
}

Var HarMask::forward(const Var& x) const {
  Var y = x;
  for (const Conv2d& conv : convs_) y = groups_ == 0 ? conv(y) : relu(group_norm(conv(y), groups_, {}, {}));
  return tap("spatial", sigmoid(out_(y)));
}

FOVEA_LEVELS_BLOCK(har_spatial, "a mask per pyramid level from dilated convolutions", "Li et al. 2019, arXiv:1904.11141") {
  const std::int64_t levels = read_levels(args);
  return std::make_unique<HarSpatial>(scope, levels, read_mask_options(channels, args, "groups"));
}

}  // namespace fovea
