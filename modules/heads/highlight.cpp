// Highlighting: one convolution on the last feature gives a logit of every class for every position, enlarged by `scale` where the feature is coarser than
// the picture. Deep supervision: the coarser features that the head gets are read out, too,
//   losses  and each learns the same truth: outputs "logits.<feature>" while training (Lee et al. 2014, arXiv:1409.5185)
//   fused   and one more convolution joins all: Oktay et al. 2018, arXiv:1804.03999, as the authors' networks with "dsv" do
// Parameters conv.weight, conv.bias; distance.*; dsv.<i>.* counting from the coarsest feature, and with `fused` final.*.
#include "modules/heads/highlight.hpp"

#include <algorithm>

#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/resize.hpp"

namespace fovea {
namespace {

struct Options {
  std::vector<std::string> classes;
  int kernel = 1, scale = 1;
  double dropout = 0;
  bool losses = false, fused = false;
};

OutputInfo map_output(const std::string& name, const std::string& kind, std::size_t classes, int stride, int scale) {
  return {name,
          kind,
          {OutputAxis::batch(), OutputAxis::constant(static_cast<std::int64_t>(classes)), OutputAxis::height(scale, stride),
           OutputAxis::width(scale, stride)}};
}

HeadInfo info_of(const Options& o, Features in, bool objects) {
  HeadInfo info{"highlight", o.classes, {map_output("logits", "region logits", o.classes.size(), in.back().stride, o.scale)}};
  if (objects)
    info.outputs.push_back(map_output("distance", "distance to an object's edge", o.classes.size(), in.back().stride, o.scale));
  for (std::size_t i = 0; o.losses && i + 1 < in.size(); ++i)
    info.training_outputs.push_back(map_output("logits." + in[i].name, "region logits", o.classes.size(), in[i].stride, 1));
  return info;
}

class Highlight final : public HighlightHead {
 public:
  Highlight(const Scope& s, Features in, const Options& o, const RegionRules& rules)
      : HighlightHead(s, info_of(o, in, rules.objects), rules), o_(o), dropout_(o.dropout) {
    const auto classes = static_cast<std::int64_t>(o.classes.size());
    const Conv2d::Options last{.in = in.back().channels, .out = classes, .kernel = o.kernel, .pad = o.kernel / 2};
    conv_.emplace(s / "conv", last);
    if (rules.objects) distance_.emplace(s / "distance", last);
    for (std::size_t i = 0; (o.losses || o.fused) && i + 1 < in.size(); ++i)
      coarser_.emplace_back(s / "dsv" / static_cast<std::int64_t>(i), Conv2d::Options{.in = in[i].channels, .out = classes});
    if (o.fused)
      final_.emplace(s / "final", Conv2d::Options{.in = classes * static_cast<std::int64_t>(in.size()), .out = classes});
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty(), "expected a feature, got none");
    const Var x = dropout_(in.back());
    Var y = (*conv_)(x);
    if (o_.fused) y = fused(in, y);
    Vars out{tap("logits", enlarged(y))};
    if (distance_) out.push_back(tap("distance", enlarged((*distance_)(x))));
    if (Training::active() && o_.losses)
      for (std::size_t i = 0; i < coarser_.size(); ++i) out.push_back(coarser_[i](in[i]));
    return out;
  }

 private:
  Var enlarged(const Var& y) const { return o_.scale > 1 ? upsample(y, o_.scale, Resize::bilinear) : y; }
  Var fused(const Vars& in, const Var& finest) const {
    Vars all;
    for (std::size_t i = 0; i < coarser_.size(); ++i)
      all.push_back(resize(coarser_[i](in[i]), finest.dim(2), finest.dim(3), Resize::bilinear));
    all.push_back(finest);
    return (*final_)(concat(all, 1));
  }

  Options o_;
  Dropout dropout_;
  std::optional<Conv2d> conv_, distance_, final_;
  std::vector<Conv2d> coarser_;
};

// One value a class; one alone is every class's.
std::vector<double> each_class(Args& args, const char* name, double fallback, double most, std::size_t classes,
                               const char* text) {
  std::vector<double> values = args.numbers(name, {fallback}, text);
  if (values.size() == 1) values.assign(classes, values[0]);
  check(values.size() == classes, args.where(), ": ", name, ": expected one number, or one for each of the ", classes,
        " classes, got ", values.size());
  for (const double v : values) check(v >= 0 && v <= most, args.where(), ": ", name, ": expected 0 to ", most, ", got ", v);
  return values;
}

}  // namespace

FOVEA_HEAD(highlight, "regions of classes that may overlap, and objects that touch", "Oktay et al. 2018, arXiv:1804.03999") {
  Options o;
  o.classes = read_classes(args, 1);
  o.kernel = args.get("kernel", 1, "side of the convolution, odd", {1, 255});
  o.scale = args.get("scale", 1, "how many times larger the logits become, bilinear", {1, 64});
  o.dropout = args.get("dropout", 0.0, "in front of the convolution, in training and for its uncertainty", {0, 0.95});
  const std::string deep = args.get("deep_supervision", "none", "of the coarser features: none, losses or fused");
  check(deep == "none" || deep == "losses" || deep == "fused", args.where(),
        ": deep_supervision: expected none, losses or fused, got '", deep, "'");
  check(deep == "none" || features.size() > 1, args.where(),
        ": deep_supervision: the head gets one feature; name several in `features`");
  check(o.kernel % 2 == 1, args.where(), ": kernel: expected an odd side, got ", o.kernel);
  o.losses = deep == "losses", o.fused = deep == "fused";
  RegionRules rules;
  rules.thresholds = each_class(args, "threshold", 0.5, 1, o.classes.size(),
                                "probability from which a pixel belongs to a class; one, or one a class");
  rules.least_area =
      each_class(args, "least_area", 0, 1e9, o.classes.size(), "of a region, in pixels of the input; one, or one a class");
  rules.objects = args.get("objects", false, "learns where objects of a class end that touch each other");
  rules.middle = args.get("middle", 0.5, "of the distance to an object's edge: the middle begins here", {0, 1});
  return std::make_unique<Highlight>(scope, features, o, rules);
}

}  // namespace fovea
