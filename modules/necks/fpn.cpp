// Feature pyramid: p_i = smooth_i(lateral_i(c_i) + nearest(p_(i+1))), all of one width, from the deepest feature to the finest. With `extra`,
// coarser levels follow, each a 3x3 convolution of stride 2: the first of the deepest feature, the others of relu(the one before).
// Parameters inner_blocks.<i>.0.weight, .bias (1x1) and layer_blocks.<i>.0.weight, .bias (3x3), i counting from the finest, and
// extra_blocks.p6, .p7, ...: torchvision's names.
// Features: those of the backbone, under their names, and p6, p7, ... Slots: input<i> in front of each 1x1 convolution (HAR-Net's aligned
// attention stands there), lateral<i> behind it, output<i> behind each 3x3 one.
#include "modules/nn/neck.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/slot.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

std::string extra_name(int i) { return "p" + std::to_string(6 + i); }

std::vector<Feature> with_extra(std::vector<Feature> levels, int extra) {
  for (int i = 0; i < extra; ++i) levels.push_back({extra_name(i), levels.back().channels, levels.back().stride * 2});
  return levels;
}

class FeaturePyramid final : public Neck {
 public:
  FeaturePyramid(const Scope& s, Features in, std::int64_t width, int extra) : Neck(s, with_extra(of_width(in, width), extra)) {
    for (std::size_t i = 0; i < in.size(); ++i) levels_.emplace_back(s, static_cast<std::int64_t>(i), in[i].channels, width);
    for (int i = 0; i < extra; ++i)
      extra_.emplace_back(
          s / "extra_blocks" / extra_name(i),
          Conv2d::Options{.in = i == 0 ? in.back().channels : width, .out = width, .kernel = 3, .stride = 2, .pad = 1});
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == levels_.size(), "expected ", levels_.size(), " features, got ", in.size());
    Vars out(in.size());
    Var above, coarser;
    for (std::size_t i = in.size(); i-- > 0;) {
      const Level& level = levels_[i];
      const Var feature = level.before_lateral(in[i]);
      if (!coarser.defined()) coarser = feature;
      const Var lateral = level.after_lateral(level.lateral(feature));
      above = above.defined() ? lateral + resize(above, lateral.dim(2), lateral.dim(3), Resize::nearest) : lateral;
      out[i] = tap(features()[i].name, level.after_smooth(level.smooth(above)));
    }
    for (std::size_t i = 0; i < extra_.size(); ++i) {
      coarser = extra_[i](i == 0 ? coarser : relu(coarser));
      out.push_back(tap(features()[in.size() + i].name, coarser));
    }
    return out;
  }

 private:
  struct Level {
    Level(const Scope& s, std::int64_t i, std::int64_t in, std::int64_t width)
        : before_lateral(s, "input" + std::to_string(i), in),
          lateral(s / "inner_blocks" / i / 0, {.in = in, .out = width}),
          smooth(s / "layer_blocks" / i / 0, {.in = width, .out = width, .kernel = 3, .pad = 1}),
          after_lateral(s, "lateral" + std::to_string(i), width),
          after_smooth(s, "output" + std::to_string(i), width) {}
    Slot before_lateral;
    Conv2d lateral, smooth;
    Slot after_lateral, after_smooth;
  };
  std::vector<Level> levels_;
  std::vector<Conv2d> extra_;
};

}  // namespace

FOVEA_NECK(fpn, "a pyramid of features of one width, each with what the coarser ones know", "Lin et al. 2017, arXiv:1612.03144") {
  const int width = args.get("channels", 256, "of every level", {1, 65536});
  const int extra = args.get("extra", 0, "further levels, each half the size of the one before", {0, 4});
  check(width > 0, args.where(), ": channels: expected at least 1, got ", width);
  for (std::size_t i = 1; i < features.size(); ++i)
    check(features[i].stride >= features[i - 1].stride, args.where(), ": fpn: expected features from fine to coarse; ",
          features[i].name, " is finer than ", features[i - 1].name);
  return std::make_unique<FeaturePyramid>(scope, features, width, extra);
}

}  // namespace fovea
