// A convolution whose taps move: offset(p) = conv_offset(x)(p), y(p) = sum_k w_k x(p + p_k + offset_k(p)) + bias.
// Dai et al. 2017, arXiv:1703.06211. `deform_conv_v2` also weighs each tap, m = sigmoid(last third of conv_offset(x)):
// Zhu et al. 2019, arXiv:1811.11168. conv_offset starts at zero: an ordinary convolution, in v2 with every tap halved.
// Parameters weight, (bias), conv_offset.weight, conv_offset.bias, as in mmcv.
// Taps "offset": N x 2GK x OH x OW, pixels, (row, column) for each of G groups and K taps; v2 also "mask": N x GK x OH x OW.
#include "modules/attention/spatial/deform_conv.hpp"

#include <cmath>

#include "modules/nn/registry.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

std::array<std::int64_t, 2> pair(Args& args, const std::string& name, int fallback, const std::string& text) {
  const std::vector<int> v = args.list(name, std::vector<int>{fallback}, text + ": one number, or rows and columns");
  check(v.size() == 1 || v.size() == 2, args.where(), ": ", name, ": expected one number or two, got ", v.size());
  return {v.front(), v.back()};
}

// Parameters conv_offset.weight and conv_offset.bias, zero: every sample starts in its place.
struct OffsetConv {
  OffsetConv(const Scope& s, const DeformConvOptions& o)
      : path(s.path()),
        options{.stride = o.conv.stride, .dilation = o.conv.dilation, .pad_begin = o.conv.pad, .pad_end = o.conv.pad} {
    const std::int64_t out = (o.modulated ? 3 : 2) * o.conv.deform_groups * o.kernel[0] * o.kernel[1];
    weight = s.param("weight", {out, o.in, o.kernel[0], o.kernel[1]}, init::zeros());
    bias = s.param("bias", {out}, init::zeros());
  }
  Var operator()(const Var& x) const {
    PathScope where(path);
    return conv2d(x, weight, bias, options);
  }
  std::string path;
  Conv2dOptions options;
  Var weight, bias;
};

class DeformConv final : public MapBlock {
 public:
  DeformConv(const Scope& s, const DeformConvOptions& o)
      : MapBlock(s), kernel_(s, o), conv_offset_(s / "conv_offset", o), modulated_(o.modulated) {}

 protected:
  Var forward(const Var& x) const override {
    const Var both = conv_offset_(x);
    if (!modulated_) return kernel_(x, tap("offset", both), {});
    const std::int64_t third = both.dim(1) / 3;
    const Var offset = tap("offset", slice(both, 1, 0, 2 * third));
    return kernel_(x, offset, tap("mask", sigmoid(slice(both, 1, 2 * third, 3 * third))));
  }

 private:
  DeformKernel kernel_;
  OffsetConv conv_offset_;
  bool modulated_;
};

// torchvision's DeformConv2d: the offsets, and the mask if there is one, come from outside.
class GivenOffsets final : public Block {
 public:
  GivenOffsets(const Scope& s, const DeformConvOptions& o) : Block(s), kernel_(s, o) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected a map, its offsets and perhaps a mask, got ", in.size(), " values");
    return {kernel_(in[0], in[1], in.size() == 3 ? in[2] : Var())};
  }

 private:
  DeformKernel kernel_;
};

}  // namespace

DeformConvOptions read_deform_options(std::int64_t channels, Args& args, bool bias) {
  DeformConvOptions o;
  o.in = channels;
  o.out = args.get("out", static_cast<int>(channels), "output channels");
  o.kernel = pair(args, "kernel", 3, "size of the kernel");
  o.conv.stride = pair(args, "stride", 1, "step between output positions");
  o.conv.dilation = pair(args, "dilation", 1, "step between taps");
  o.conv.pad = pair(args, "pad", -1, "zeros around the map (-1: the size stays at stride 1)");
  o.conv.groups = args.get("groups", 1, "groups of channels that do not mix");
  o.conv.deform_groups = args.get("deform_groups", 1, "groups of channels with offsets of their own");
  o.bias = args.get("bias", bias, "adds a bias");
  const std::string border =
      args.get("border", "zero", "beyond the edge: zero (torchvision, mmcv) or clamp (the first Caffe and MXNet kernels)");
  for (std::size_t a = 0; a < 2; ++a) {
    check(o.kernel[a] > 0, args.where(), ": kernel must be positive, got ", o.kernel[a]);
    if (o.conv.pad[a] == -1) o.conv.pad[a] = o.conv.dilation[a] * (o.kernel[a] - 1) / 2;
  }
  check(o.out > 0 && o.conv.groups > 0 && channels % o.conv.groups == 0 && o.out % o.conv.groups == 0, args.where(), ": ",
        channels, " -> ", o.out, " channels do not divide into ", o.conv.groups, " groups");
  check(o.conv.deform_groups > 0 && channels % o.conv.deform_groups == 0, args.where(), ": ", channels,
        " channels do not divide into deform_groups: ", o.conv.deform_groups);
  check(border == "zero" || border == "clamp", args.where(), ": border: expected zero or clamp, got '", border, "'");
  o.conv.border = border == "zero" ? DeformBorder::zero : DeformBorder::clamp;
  return o;
}

DeformKernel::DeformKernel(const Scope& s, const DeformConvOptions& o)
    : weight(s.param("weight", {o.out, o.in / o.conv.groups, o.kernel[0], o.kernel[1]},
                     init::fan_in_uniform(o.in * o.kernel[0] * o.kernel[1]))),
      bias(o.bias ? s.param("bias", {o.out}, init::zeros()) : Var()),
      options(o.conv) {}

FOVEA_CONV_BLOCK(deform_conv, "convolution whose taps move by learnt offsets", "Dai et al. 2017, arXiv:1703.06211") {
  return std::make_unique<DeformConv>(scope, read_deform_options(channels, args, false));
}

FOVEA_CONV_BLOCK(deform_conv_v2, "deformable convolution whose taps are also weighed", "Zhu et al. 2019, arXiv:1811.11168") {
  DeformConvOptions o = read_deform_options(channels, args, true);
  o.modulated = true;
  return std::make_unique<DeformConv>(scope, o);
}

FOVEA_PART(deform_conv2d, "deformable convolution with given offsets and mask", "Zhu et al. 2019, arXiv:1811.11168") {
  return std::make_unique<GivenOffsets>(scope, read_deform_options(channels, args, true));
}

}  // namespace fovea
