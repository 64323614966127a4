// One-stage detection: two subnets, for classes and for boxes, on every level of a pyramid, with HAR-Net's attention (Li et al. 2019,
// arXiv:1904.11141) between their convolutions and the predictions:
//   attention: spatial   features * mask                        a mask for each level, which both subnets share
//              channel   features * gate                        one gate of the channels for all levels, one for each subnet
//              hybrid    (predict(f) + predict'(gate(conv f))) / 2, f = features * mask
// subnets: decoupled   convolutions that the levels share, each followed by a batch norm of the level's own (Lyu et al. 2022,
//                      arXiv:2212.07784), which costs nothing once it is folded
//          har         HAR-Net's own, with norms over all levels at once (har_head)
// Parameters {cls,box}_convs.I.conv.weight, .norms.L.*, {cls,box}.weight and .bias; mask.levels.L.*; {cls,box}_channel.*; {cls,box}_hybrid.
// {conv,channel,out}.*; of har har.*. Taps: the blocks' own, and the outputs.
#include "modules/heads/detect.hpp"

#include <cmath>

#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct Options {
  std::vector<std::string> classes;
  BoxCoding coding;
  DetectThresholds thresholds;
  int width = 0, convs = 2, kernel = 1;
  bool spatial = true, har = false;
  std::string channel;  // none, scale or hybrid
  double prior = 0.01;
  std::int64_t levels() const { return static_cast<std::int64_t>(coding.strides.size()); }
  std::int64_t class_outputs() const { return coding.per_position() * static_cast<std::int64_t>(classes.size()); }
  std::int64_t box_outputs() const { return coding.per_position() * coding.box_channels(); }
  // So that at first everything is background with that probability, which keeps the many easy positions from swamping the first steps.
  Init class_bias() const { return init::constant(-std::log((1 - prior) / prior)); }
  // Distances of about two cells, where they are not a mean over bins, and anchors as they are.
  Init box_bias() const { return init::constant(coding.bins == 0 && coding.anchors.empty() ? 1.85 : 0); }
};

HeadInfo info_of(const Options& o) {
  HeadInfo info{.task = "detect", .classes = o.classes, .outputs = {}};
  const auto add = [&](const char* name, const char* kind, std::int64_t channels) {
    for (const int stride : o.coding.strides)
      info.outputs.push_back(
          {name + ("." + std::to_string(stride)),
           kind,
           {OutputAxis::batch(), OutputAxis::constant(channels), OutputAxis::height(1, stride), OutputAxis::width(1, stride)}});
  };
  add("class", "class logits of every position", o.class_outputs());
  add("box", "box of every position", o.box_outputs());
  return info;
}

Vars each(const Conv2d& conv, const Vars& in) {
  Vars out;
  for (const Var& x : in) out.push_back(conv(x));
  return out;
}

Args numbers(const std::string& where, const std::map<std::string, std::int64_t>& values) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : values) texts[name] = std::to_string(value);
  return Args(where, texts);
}

// A block by name: what attention a head is made of, it does not know.
std::unique_ptr<Block> part(const Scope& s, const std::string& type, std::int64_t channels, Args args) {
  return Registry::global().make(type, s, channels, std::move(args));
}

// A convolution for all levels, then a norm of each one's own.
class SharedConv {
 public:
  SharedConv(const Scope& s, std::int64_t in, const Options& o)
      : conv_(s / "conv", {.in = in, .out = o.width, .kernel = 3, .pad = 1, .bias = false, .init = init::kaiming_normal()}) {
    for (std::int64_t i = 0; i < o.levels(); ++i) norms_.emplace_back(s / "norms" / i, o.width);
  }
  Vars operator()(const Vars& in) const {
    Vars out;
    for (std::size_t i = 0; i < in.size(); ++i) out.push_back(norms_[i].relu(conv_(in[i])));
    return out;
  }

 private:
  Conv2d conv_;
  std::vector<BatchNorm2d> norms_;
};

Conv2d::Options prediction(const Options& o, std::int64_t outputs, const Init& bias) {
  return {
      .in = o.width, .out = outputs, .kernel = o.kernel, .pad = o.kernel / 2, .init = init::normal(0, 0.01), .bias_init = bias};
}

// Convolution, gate of the channels over all levels, prediction.
struct HybridBranch {
  HybridBranch(const Scope& s, const Options& o, std::int64_t outputs, const Init& bias)
      : conv(s / "conv", o.width, o),
        gate(part(s / "channel", "har_channel", o.width, numbers(s.path(), {{"levels", o.levels()}}))),
        out(s / "out", prediction(o, outputs, bias)) {}
  Vars operator()(const Vars& f) const { return each(out, (*gate)(conv(f))); }
  SharedConv conv;
  std::unique_ptr<Block> gate;
  Conv2d out;
};

// What follows the mask: gate or second branch, and predictions.
class Predictions {
 public:
  Predictions(const Scope& s, const std::string& name, const Options& o, std::int64_t outputs, const Init& bias)
      : out_(s / name, prediction(o, outputs, bias)) {
    if (o.channel == "scale")
      gate_ = part(s / (name + "_channel"), "har_channel", o.width, numbers(s.path(), {{"levels", o.levels()}}));
    if (o.channel == "hybrid") hybrid_ = std::make_unique<HybridBranch>(s / (name + "_hybrid"), o, outputs, bias);
  }
  Vars operator()(const Vars& f) const {
    if (gate_) return each(out_, (*gate_)(f));
    Vars y = each(out_, f);
    if (!hybrid_) return y;
    const Vars other = (*hybrid_)(f);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = scale(y[i] + other[i], 0.5);
    return y;
  }

 private:
  Conv2d out_;
  std::unique_ptr<Block> gate_;
  std::unique_ptr<HybridBranch> hybrid_;
};

class Decoupled final : public DetectHead {
 public:
  Decoupled(const Scope& s, std::int64_t in, const Options& o)
      : DetectHead(s, info_of(o), o.coding, o.thresholds),
        class_out_(s, "cls", o, o.class_outputs(), o.class_bias()),
        box_out_(s, "box", o, o.box_outputs(), o.box_bias()) {
    for (std::int64_t i = 0; i < o.convs; ++i) {
      class_convs_.emplace_back(s / "cls_convs" / i, i == 0 ? in : o.width, o);
      box_convs_.emplace_back(s / "box_convs" / i, i == 0 ? in : o.width, o);
    }
    if (o.spatial) mask_ = part(s / "mask", "har_spatial", in, numbers(s.path(), {{"levels", o.levels()}}));
  }

 protected:
  Vars forward(const Vars& features) const override {
    Vars classes = features, boxes = features;
    for (const SharedConv& conv : class_convs_) classes = conv(classes);
    for (const SharedConv& conv : box_convs_) boxes = conv(boxes);
    if (mask_) apply_masks(features, classes, boxes);
    Vars out = class_out_(classes);
    for (const Var& v : box_out_(boxes)) out.push_back(v);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = tap(info().outputs[i].name, out[i]);
    return out;
  }

 private:
  // har_spatial takes the maps that the masks are made of, then what each level's mask is laid on.
  void apply_masks(const Vars& features, Vars& classes, Vars& boxes) const {
    Vars in = features;
    for (std::size_t i = 0; i < features.size(); ++i) in.insert(in.end(), {classes[i], boxes[i]});
    const Vars masked = (*mask_)(in);
    for (std::size_t i = 0; i < features.size(); ++i) classes[i] = masked[2 * i], boxes[i] = masked[2 * i + 1];
  }

  std::vector<SharedConv> class_convs_, box_convs_;
  std::unique_ptr<Block> mask_;
  Predictions class_out_, box_out_;
};

class Har final : public DetectHead {
 public:
  Har(const Scope& s, std::int64_t in, const Options& o) : DetectHead(s, info_of(o), o.coding, o.thresholds) {
    const Scope at = s / "har";
    const Scope started =
        at.starting("cls.bias", {o.class_outputs()}, o.class_bias()).starting("box.bias", {o.box_outputs()}, o.box_bias());
    if (o.channel == "hybrid") at.starting("cls_hybrid.out.bias", {o.class_outputs()}, o.class_bias());
    Args args(s.path(), {{"levels", std::to_string(o.levels())},
                         {"convs", std::to_string(o.convs)},
                         {"norms", std::to_string(o.convs)},
                         {"cls_out", std::to_string(o.class_outputs())},
                         {"box_out", std::to_string(o.box_outputs())},
                         {"spatial", o.spatial ? "true" : "false"},
                         {"channel", o.channel}});
    head_ = part(started, "har_head", in, std::move(args));
  }

 protected:
  Vars forward(const Vars& features) const override {
    Vars out = (*head_)(features);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = tap(info().outputs[i].name, out[i]);
    return out;
  }

 private:
  std::unique_ptr<Block> head_;
};

// `size` strides wide at ratio 1, in `octaves` steps up to twice that.
std::vector<std::array<double, 2>> anchors_of(double size, int octaves, const std::vector<double>& ratios) {
  std::vector<std::array<double, 2>> anchors;
  for (int i = 0; size > 0 && i < octaves; ++i)
    for (const double ratio : ratios) {
      const double side = size * std::exp2(static_cast<double>(i) / octaves), root = std::sqrt(ratio);
      anchors.push_back({side / root, side * root});
    }
  return anchors;
}

void read_coding(Options& o, Features features, Args& args) {
  for (const Feature& f : features) o.coding.strides.push_back(f.stride);
  for (std::size_t i = 1; i < features.size(); ++i) {
    check(features[i].stride > features[i - 1].stride, args.where(),
          ": detect: expected levels from fine to coarse, one a stride; ", features[i].name, " has the stride ",
          features[i].stride, " behind ", features[i - 1].stride);
    check(features[i].channels == features[0].channels, args.where(),
          ": detect: expected levels of one width, as a neck (fpn, pan) ", "gives them; ", features[i].name, " has ",
          features[i].channels, " channels, ", features[0].name, " ", features[0].channels);
  }
  o.coding.bins = args.get("bins", 0, "of a distribution for each distance; 0: the distance itself", {0, 64});
  const double size = args.get("anchors", 0.0, "size of RetinaNet's anchors in strides, such as 4; 0: none", {0, 1024});
  const int octaves = args.get("octaves", 3, "sizes of anchors up to twice that", {1, 16});
  const std::vector<double> ratios = args.numbers("ratios", {0.5, 1, 2}, "height over width of anchors");
  for (const double r : ratios) check(r > 0 && r <= 100, args.where(), ": ratios: expected numbers above 0, up to 100, got ", r);
  check(size == 0 || o.coding.bins == 0, args.where(), ": bins are for distances, and anchors have none: give one of them");
  check(o.coding.bins != 1, args.where(), ": bins: expected 0, or at least 2");
  o.coding.anchors = anchors_of(size, octaves, ratios);
}

}  // namespace

FOVEA_HEAD(detect, "boxes and classes of objects, with hybrid attention", "Li et al. 2019, arXiv:1904.11141") {
  Options o;
  o.classes = read_classes(args, 1);
  read_coding(o, features, args);
  const std::string attention = args.get("attention", "hybrid", "none, channel, spatial or hybrid");
  const std::string subnets =
      args.get("subnets", "decoupled", "decoupled (batch norms) or har (HAR-Net's norms over all levels)");
  o.convs = args.get("convs", 2, "convolutions of each subnet", {1, 16});
  o.width = args.get("width", 0, "their channels; 0: the features' (har: always)", {0, 4096});
  o.kernel = args.get("kernel", 1, "side of the predictions' convolution, odd (har: 3)", {1, 15});
  o.prior = args.get("prior", 0.01, "probability of an object that training starts with", {1e-6, 0.5});
  DetectThresholds& t = o.thresholds;
  t.confidence = args.get("confidence", t.confidence, "least score of a box that is shown, unless its user says another", {0, 1});
  t.iou = args.get("iou", t.iou, "overlap from which two boxes of a class are one, likewise", {0, 1});
  check(attention == "none" || attention == "channel" || attention == "spatial" || attention == "hybrid", args.where(),
        ": attention: expected none, channel, spatial or hybrid, got '", attention, "'");
  check(subnets == "decoupled" || subnets == "har", args.where(), ": subnets: expected decoupled or har, got '", subnets, "'");
  check(o.kernel % 2 == 1, args.where(), ": kernel: expected an odd side, got ", o.kernel);
  o.har = subnets == "har";
  o.spatial = attention == "spatial" || attention == "hybrid";
  o.channel = attention == "channel" ? "scale" : attention == "hybrid" ? "hybrid" : "none";
  const std::int64_t in = features.back().channels;
  check(!o.har || o.width == 0 || o.width == in, args.where(), ": width: har has the features' ", in, " channels, got ", o.width);
  if (o.width == 0) o.width = static_cast<int>(in);
  if (o.har) return std::make_unique<Har>(scope, in, o);
  return std::make_unique<Decoupled>(scope, in, o);
}

}  // namespace fovea
