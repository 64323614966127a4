// HAR-Net's detection head, Li et al. 2019, arXiv:1904.11141. Per pyramid level and for classes and boxes alike: four 3x3
// convolutions shared by the levels, the first `norms` with a norm over all levels (har_sync_norm.cpp), the others relu alone; then
//   f = features * mask                 one mask a level for both subnets (har_spatial.cpp), unless spatial: false
//   channel: none    predict(f)
//   channel: scale   predict(f s)       s: one channel gate for all levels (har_channel.cpp)
//   channel: hybrid  (predict(f) + predict'(s' relu(conv f))) / 2
// predict is a 3x3 convolution. Takes `levels` maps, finest first; gives `cls_out` channels for each, then `box_out` for each.
// Parameters spatial.levels.L.*, {cls,box}_convs.I.conv.*, {cls,box}_convs.I.norm.*, {cls,box}.weight and .bias,
// {cls,box}_channel.{down,up}.*; of the second branch {cls,box}_hybrid.{conv,channel,out}.*.
// Taps "spatial.levels.L.spatial", and "{cls,box}_channel.channel" or "{cls,box}_hybrid.channel.channel".
#include <cmath>

#include "modules/attention/hybrid/har.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

enum class Channel : std::uint8_t { none, scale, hybrid };

struct HeadOptions {
  std::int64_t channels = 0, levels = 5, convs = 4, norms = 4, groups = 32, squeeze = 32, cls_out = 0, box_out = 0;
  bool spatial = true;
  Channel channel = Channel::hybrid;
  HarMaskOptions mask;
};

Conv2d::Options conv3x3(std::int64_t in, std::int64_t out, bool relu) {
  Conv2d::Options o;
  o.in = in, o.out = out, o.kernel = 3, o.pad = 1, o.init = init::kaiming_normal();
  if (relu) o.activation = Activation::relu;
  return o;
}

Vars each(const Conv2d& conv, const Vars& in) {
  Vars out;
  for (const Var& x : in) out.push_back(conv(x));
  return out;
}

// conv, channel gate over all levels, prediction.
struct HybridBranch {
  HybridBranch(const Scope& s, const HeadOptions& o, std::int64_t outputs)
      : conv(s / "conv", conv3x3(o.channels, o.channels, true)),
        gate(s / "channel", o.channels, o.levels, o.squeeze),
        out(s / "out", conv3x3(o.channels, outputs, false)) {}
  Vars operator()(const Vars& f) const { return each(out, gate(each(conv, f))); }
  Conv2d conv;
  HarChannel gate;
  Conv2d out;
};

// The subnet of classes or of boxes: everything behind the pyramid but the masks, which both share.
class Subnet {
 public:
  Subnet(const Scope& s, const std::string& name, const HeadOptions& o, std::int64_t outputs)
      : out_(s / name, conv3x3(o.channels, outputs, false)) {
    for (std::int64_t i = 0; i < o.convs; ++i) {
      const Scope at = s / (name + "_convs") / i;
      const bool last = i + 1 == o.convs;
      if (i < o.norms)
        normed_.push_back(
            std::make_unique<HarSyncNorm>(at, HarSyncOptions{o.channels, o.levels, 3, o.groups, last ? 0.1 : 1.0, true}));
      else plain_.emplace_back(at / "conv", conv3x3(o.channels, o.channels, true));
    }
    if (o.channel == Channel::scale)
      gate_ = std::make_unique<HarChannel>(s / (name + "_channel"), o.channels, o.levels, o.squeeze);
    if (o.channel == Channel::hybrid) hybrid_ = std::make_unique<HybridBranch>(s / (name + "_hybrid"), o, outputs);
  }

  Vars operator()(Vars x, const Vars& masks) const {
    for (const auto& step : normed_) x = (*step)(x);
    for (const Conv2d& conv : plain_) x = each(conv, x);
    for (std::size_t i = 0; i < masks.size(); ++i) x[i] = x[i] * masks[i];
    if (gate_) return each(out_, (*gate_)(x));
    Vars y = each(out_, x);
    if (!hybrid_) return y;
    const Vars other = (*hybrid_)(x);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = scale(y[i] + other[i], 0.5);
    return y;
  }

  const Conv2d& out() const { return out_; }
  const HybridBranch* hybrid() const { return hybrid_.get(); }

 private:
  std::vector<std::unique_ptr<HarSyncNorm>> normed_;
  std::vector<Conv2d> plain_;
  Conv2d out_;
  std::unique_ptr<HarChannel> gate_;
  std::unique_ptr<HybridBranch> hybrid_;
};

class HarHead final : public Block {
 public:
  HarHead(const Scope& s, const HeadOptions& o)
      : Block(s), levels_(static_cast<std::size_t>(o.levels)), cls_(s, "cls", o, o.cls_out), box_(s, "box", o, o.box_out) {
    for (std::int64_t i = 0; o.spatial && i < o.levels; ++i)
      masks_.push_back(std::make_unique<HarMask>(s / "spatial" / "levels" / i, o.mask));
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == levels_, "expected the maps of ", levels_, " levels, got ", in.size(), " values");
    Vars masks;
    for (std::size_t i = 0; i < masks_.size(); ++i) masks.push_back((*masks_[i])(in[i]));
    Vars out = cls_(in, masks);
    for (const Var& v : box_(in, masks)) out.push_back(v);
    return out;
  }

 private:
  std::size_t levels_;
  Subnet cls_, box_;
  std::vector<std::unique_ptr<HarMask>> masks_;
};

Channel channel_of(const std::string& name, const Args& args) {
  if (name == "none") return Channel::none;
  if (name == "scale") return Channel::scale;
  check(name == "hybrid", args.where(), ": channel: expected none, scale or hybrid, got '", name, "'");
  return Channel::hybrid;
}

}  // namespace

FOVEA_PART(har_head, "detection head with spatial masks and a cross-level channel branch", "Li et al. 2019, arXiv:1904.11141") {
  HeadOptions o;
  o.channels = channels;
  o.levels = read_levels(args);
  o.cls_out = args.get("cls_out", 480, "class outputs per position: classes times anchors");
  o.box_out = args.get("box_out", 24, "box outputs per position: 4 times anchors");
  o.convs = args.get("convs", 4, "convolutions of each subnet", {0, 64});
  o.norms = args.get("norms", 4, "how many of them, from the first, are normalised over all levels", {0, 64});
  const int groups = args.get("groups", 0, "groups of these norms (0: 32, or the largest divisor of it that fits)");
  o.spatial = args.get("spatial", true, "multiplies the features by a mask per level");
  o.channel = channel_of(args.get("channel", "hybrid", "none, scale (gates the features) or hybrid (a second branch)"), args);
  const int squeeze = args.get("squeeze", 0, "hidden width of the channel gates (0: an eighth of the channels)");
  o.mask = read_mask_options(channels, args, "mask_groups");
  check(o.cls_out > 0 && o.box_out > 0 && o.convs > 0, args.where(), ": cls_out, box_out and convs must be positive");
  check(o.norms >= 0 && o.norms <= o.convs, args.where(), ": norms: expected 0 to ", o.convs, ", got ", o.norms);
  check(groups >= 0 && (groups == 0 || channels % groups == 0) && squeeze >= 0, args.where(), ": groups: ", channels,
        " channels do not divide into ", groups, ", or squeeze is negative");
  o.groups = group_count(groups, 32, {channels});
  o.squeeze = squeeze > 0 ? squeeze : std::max<std::int64_t>(1, channels / 8);
  return std::make_unique<HarHead>(scope, o);
}

}  // namespace fovea
