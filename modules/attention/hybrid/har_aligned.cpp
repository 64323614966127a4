// HAR-Net's aligned attention, Li et al. 2019, arXiv:1904.11141: a residual bottleneck with a deformable middle,
//   u = relu(norm1(conv1 x)); v = relu(norm2(deform_conv(u, offset(u)))); y = x + relu(norm3(conv3 v)),
// norms over groups of channels, conv1 and conv3 1x1 (conv1 3x3 in one of the authors' networks), the deformable 3x3 without bias
// and in 4 deformable groups. No relu after the sum.
// Parameters conv1.weight, norm1.*, offset.weight and .bias, conv2.weight, norm2.*, conv3.weight, norm3.*; convolutions start at
// N(0, 0.01), offsets at 0, norm3.weight at 0.1.
// Tap "offset": N x 2GK x H x W, pixels, (row, column) for each deformable group and tap.
#include "modules/attention/hybrid/har.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/deform_conv2d.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct AlignedOptions {
  std::int64_t mid = 0, groups = 32, deform_groups = 4, first_kernel = 1;
  DeformBorder border = DeformBorder::zero;
};

class HarAligned final : public MapBlock {
 public:
  HarAligned(const Scope& s, std::int64_t c, const AlignedOptions& o)
      : MapBlock(s),
        options_{.pad = {1, 1}, .deform_groups = o.deform_groups, .border = o.border},
        conv1_(s / "conv1", plain(c, o.mid, o.first_kernel)),
        norm1_(s / "norm1", static_cast<int>(o.groups), o.mid),
        offset_(s / "offset", {.in = o.mid, .out = 18 * o.deform_groups, .kernel = 3, .pad = 1, .init = init::zeros()}),
        conv2_((s / "conv2").param("weight", {o.mid, o.mid, 3, 3}, init::normal(0, 0.01))),
        norm2_(s / "norm2", static_cast<int>(o.groups), o.mid),
        conv3_(s / "conv3", plain(o.mid, c, 1)),
        norm3_weight_((s / "norm3").param("weight", {c}, init::constant(0.1))),
        norm3_(s / "norm3", static_cast<int>(o.groups), c) {}

 protected:
  Var forward(const Var& x) const override {
    const Var u = relu(norm1_(conv1_(x)));
    const Var v = relu(norm2_(deform_conv2d(u, tap("offset", offset_(u)), {}, conv2_, {}, options_)));
    return x + relu(norm3_(conv3_(v)));
  }

 private:
  static Conv2d::Options plain(std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return {.in = in, .out = out, .kernel = kernel, .pad = kernel / 2, .bias = false, .init = init::normal(0, 0.01)};
  }

  DeformOptions options_;
  Conv2d conv1_;
  GroupNorm norm1_;
  Conv2d offset_;
  Var conv2_;
  GroupNorm norm2_;
  Conv2d conv3_;
  Var norm3_weight_;  // declared here first, for its initial value
  GroupNorm norm3_;
};

}  // namespace

FOVEA_BLOCK(har_aligned, "residual bottleneck whose middle convolution follows the objects", "Li et al. 2019, arXiv:1904.11141") {
  AlignedOptions o;
  const int mid = args.get("mid", 0, "channels of the bottleneck (0: a quarter of the channels)");
  const int groups = args.get("groups", 0, "groups of the norms (0: 32, or the largest divisor of it that fits)");
  const int deform =
      args.get("deform_groups", 0, "groups with offsets of their own (0: 4, or the largest divisor of it that fits)");
  o.first_kernel = args.get("first_kernel", 1, "side of the first convolution's kernel, odd");
  const std::string border =
      args.get("border", "zero", "beyond the edge: zero (torchvision, mmcv) or clamp (the first Caffe and MXNet kernels)");
  check(mid >= 0 && groups >= 0 && deform >= 0, args.where(), ": mid, groups and deform_groups must not be negative");
  o.mid = mid > 0 ? mid : std::max<std::int64_t>(1, channels / 4);
  o.groups = group_count(groups, 32, {channels, o.mid});
  o.deform_groups = group_count(deform, 4, {o.mid});
  check(o.first_kernel % 2 == 1, args.where(), ": first_kernel must be odd, got ", o.first_kernel);
  check(channels % o.groups == 0 && o.mid % o.groups == 0 && o.mid % o.deform_groups == 0, args.where(), ": ", channels, " and ",
        o.mid, " channels do not divide into ", o.groups, " groups and ", o.deform_groups, " deform_groups");
  check(border == "zero" || border == "clamp", args.where(), ": border: expected zero or clamp, got '", border, "'");
  o.border = border == "zero" ? DeformBorder::zero : DeformBorder::clamp;
  return std::make_unique<HarAligned>(scope, channels, o);
}

}  // namespace fovea
