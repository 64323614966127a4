// Dynamic convolution, Chen et al. 2020, arXiv:1912.03458: attention over K kernels, one convolution.
//   pi = softmax(fc2(relu(fc1(mean_HW x))) / temperature); y = conv(x, sum_k pi_k weight_k) + sum_k pi_k bias_k
// The kernels are mixed first, so a sample costs one convolution whatever K is. A high temperature (30 or so) early in training
// keeps every kernel in use; 1 is the end of its schedule.
// Parameters weight (K x O x I/groups x k x k), bias (K x O), attention.fc1.weight, attention.fc2.weight, attention.fc2.bias.
// Tap "kernels": N x K, the share of each kernel.
#include "modules/core/whole.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/conv2d_per_sample.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct DynamicConvOptions {
  std::int64_t in = 0, out = 0, kernel = 3, stride = 1, pad = 1, dilation = 1, groups = 1, kernels = 4, hidden = 0;
  double temperature = 1;
  bool bias = true;
};

// Each of the K kernels as if it were alone: fans are those of one.
Init each(const Init& one) {
  return [one](Tensor& all, Random& random) {
    for (std::int64_t k = 0; k < all.dim(0); ++k) {
      Tensor own = Tensor::empty(all.shape().without(0), all.dtype());
      one(own, random);
      all.slice(0, k, k + 1).copy_from(own.reshape(all.shape().with(0, 1)));
    }
  };
}

class DynamicConv final : public MapBlock {
 public:
  DynamicConv(const Scope& s, const DynamicConvOptions& o)
      : MapBlock(s),
        o_(o),
        weight_(s.param("weight", {o.kernels, o.out, o.in / o.groups, o.kernel, o.kernel}, each(init::kaiming_uniform()))),
        bias_(o.bias ? s.param("bias", {o.kernels, o.out}, init::zeros()) : Var()),
        squeeze_(s.param("attention.fc1.weight", {o.hidden, o.in, 1, 1}, init::kaiming_normal(0, init::Fan::out))),
        excite_(s.param("attention.fc2.weight", {o.kernels, o.hidden, 1, 1}, init::kaiming_normal(0, init::Fan::out))),
        excite_bias_(s.param("attention.fc2.bias", {o.kernels}, init::zeros())) {}

 protected:
  Var forward(const Var& x) const override {
    const Var hidden = conv2d(global_avg_pool(x), squeeze_, {}, {.activation = Activation::relu});
    const Var logits = reshape(conv2d(hidden, excite_, excite_bias_, {}), {x.dim(0), o_.kernels});
    const Var share = tap("kernels", softmax(scale(logits, 1 / o_.temperature), 1));
    const Var weight =
        reshape(matmul(share, reshape(weight_, {o_.kernels, -1})), {x.dim(0), o_.out, o_.in / o_.groups, o_.kernel, o_.kernel});
    return conv2d_per_sample(x, weight, o_.bias ? matmul(share, bias_) : Var(),
                             {.stride = {o_.stride, o_.stride},
                              .dilation = {o_.dilation, o_.dilation},
                              .pad_begin = {o_.pad, o_.pad},
                              .pad_end = {o_.pad, o_.pad},
                              .groups = o_.groups});
  }

 private:
  DynamicConvOptions o_;
  Var weight_, bias_, squeeze_, excite_, excite_bias_;
};

}  // namespace

FOVEA_CONV_BLOCK(dynamic_conv, "one convolution whose kernel is mixed from K per image", "Chen et al. 2020, arXiv:1912.03458") {
  DynamicConvOptions o;
  o.in = channels;
  o.out = args.get("out", static_cast<int>(channels), "output channels");
  o.kernel = args.get("kernel", 3, "side of the kernel", {1, 255});
  o.stride = args.get("stride", 1, "step between output positions");
  o.dilation = args.get("dilation", 1, "step between taps");
  o.pad = args.get("pad", -1, "zeros around the map (-1: the size stays at stride 1)");
  o.groups = args.get("groups", 1, "groups of channels that do not mix");
  o.kernels = args.get("kernels", 4, "K, the kernels to mix", {1, 1024});
  const double ratio = args.get("ratio", 0.25, "hidden width of the attention per channel, plus one", {0, 64});
  o.hidden = args.get("hidden", 0, "hidden width of the attention (0: by ratio; K for a picture of 3 channels)");
  o.temperature = args.get("temperature", 34.0, "divides the logits");
  o.bias = args.get("bias", true, "adds a bias");
  if (o.pad == -1) o.pad = o.dilation * (o.kernel - 1) / 2;
  if (o.hidden == 0)
    o.hidden = channels == 3 ? o.kernels : whole(static_cast<double>(channels) * ratio, "dynamic_conv: channels * ratio") + 1;
  check(o.kernel > 0 && o.stride > 0 && o.dilation > 0 && o.pad >= 0 && o.kernels > 0 && o.hidden > 0, args.where(),
        ": kernel, stride, dilation, kernels and hidden must be positive");
  check(o.out > 0 && o.groups > 0 && channels % o.groups == 0 && o.out % o.groups == 0, args.where(), ": ", channels, " -> ",
        o.out, " channels do not divide into ", o.groups, " groups");
  check(o.temperature > 0, args.where(), ": temperature must be positive, got ", o.temperature);
  return std::make_unique<DynamicConv>(scope, o);
}

}  // namespace fovea
