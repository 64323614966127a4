// Path aggregation: a feature pyramid from the deepest feature to the finest, and then one back, so that the coarse levels know the fine ones'
// edges by a short path.
//   t_i = fuse(lateral(c_i) + nearest(t_(i+1)))      b_i = fuse'(t_i + down(b_(i-1)))
// lateral is 1x1, fuse, fuse' and down (stride 2) 3x3; each has a batch norm and relu. All levels have one width.
// Parameters lateral.<i>, top_down.<i>, down.<i> and bottom_up.<i>, each conv.weight and norm.*; i counts from the finest level.
// Features: those of the backbone, under their names. Slots: input<i> in front of lateral.<i>, fused<i> behind top_down.<i>, output<i> behind the last one of the
// level.
#include "modules/nn/neck.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/slot.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/resize.hpp"

namespace fovea {
namespace {

class ConvNorm {
 public:
  ConvNorm(const Scope& s, std::int64_t in, std::int64_t out, int kernel, int stride = 1)
      : conv_(s / "conv", {.in = in,
                           .out = out,
                           .kernel = kernel,
                           .stride = stride,
                           .pad = kernel / 2,
                           .bias = false,
                           .init = init::kaiming_normal()}),
        norm_(s / "norm", out) {}
  Var operator()(const Var& x) const { return norm_.relu(conv_(x)); }

 private:
  Conv2d conv_;
  BatchNorm2d norm_;
};

class PathAggregation final : public Neck {
 public:
  PathAggregation(const Scope& s, Features in, std::int64_t width) : Neck(s, of_width(in, width)) {
    const auto count = static_cast<std::int64_t>(in.size());
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t channels = in[static_cast<std::size_t>(i)].channels;
      const std::string number = std::to_string(i);
      input_.emplace_back(s, "input" + number, channels);
      lateral_.emplace_back(s / "lateral" / i, channels, width, 1);
      if (i + 1 < count) top_down_.emplace_back(s / "top_down" / i, width, width, 3);
      fused_.emplace_back(s, "fused" + number, width);
      if (i > 0) down_.emplace_back(s / "down" / i, width, width, 3, 2);
      if (i > 0) bottom_up_.emplace_back(s / "bottom_up" / i, width, width, 3);
      output_.emplace_back(s, "output" + number, width);
    }
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == lateral_.size(), "expected ", lateral_.size(), " features, got ", in.size());
    Vars out(in.size());
    for (std::size_t i = in.size(); i-- > 0;) {
      Var y = lateral_[i](input_[i](in[i]));
      if (i + 1 < in.size()) y = top_down_[i](y + resize(out[i + 1], y.dim(2), y.dim(3), Resize::nearest));
      out[i] = fused_[i](y);
    }
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (i > 0) out[i] = bottom_up_[i - 1](out[i] + down_[i - 1](out[i - 1]));
      out[i] = tap(features()[i].name, output_[i](out[i]));
    }
    return out;
  }

 private:
  std::vector<Slot> input_, fused_, output_;
  std::vector<ConvNorm> lateral_, top_down_, down_,
      bottom_up_;  // of two neighbouring levels: top_down_[i] is level i, down_[i] level i + 1
};

}  // namespace

FOVEA_NECK(pan, "a pyramid from coarse to fine and back", "Liu et al. 2018, arXiv:1803.01534") {
  const int width = args.get("channels", 128, "of every level", {1, 65536});
  for (std::size_t i = 1; i < features.size(); ++i)
    check(features[i].stride == 2 * features[i - 1].stride, args.where(), ": pan: expected features whose strides double; ",
          features[i].name, " has the stride ", features[i].stride, " behind ", features[i - 1].stride);
  return std::make_unique<PathAggregation>(scope, features, width);
}

}  // namespace fovea
