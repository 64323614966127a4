#include "pipeline/tasks/highlight/loss.hpp"

#include "modules/autograd/cast.hpp"
#include "modules/nn/detection_losses.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/region_losses.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

constexpr const char* kDeep = "logits.";  // outputs of deep supervision

// What each pixel weighs in sums over them: its class's weight, more where the class is.
Tensor pixel_weights(const Tensor& mask, const HighlightLossOptions& o) {
  Tensor out = Tensor::like(mask);
  const std::int64_t classes = mask.dim(1);
  const float* is = mask.data<float>();
  float* to = out.data<float>();
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    const auto c = static_cast<std::size_t>(i % classes);
    const double weight = o.class_weights.empty() ? 1 : o.class_weights[c],
                 positive = o.positive_weights.empty() ? 1 : o.positive_weights[c];
    to[i] = static_cast<float>(weight * (1 + (positive - 1) * is[i]));
  }
  return out;
}

Tensor class_weights(const HighlightLossOptions& o) {
  if (o.class_weights.empty()) return {};
  std::vector<float> weights(o.class_weights.begin(), o.class_weights.end());
  const auto classes = static_cast<std::int64_t>(weights.size());
  return Tensor::from(weights, {classes});
}

class Sum {
 public:
  void add(double weight, const Var& loss) {
    const Var part = weight == 1 ? loss : scale(loss, weight);
    sum_ = sum_.defined() ? sum_ + part : part;
  }
  const Var& value() const { return sum_; }

 private:
  Var sum_;
};

// Of logits of the mask's size.
Var logits_loss(const Var& logits, const Batch& batch, const HighlightLossOptions& o) {
  const Tensor& mask = batch.targets.at("mask");
  check(logits.shape() == mask.shape(), "the logits are ", logits.shape(), " for masks of ", mask.shape(),
        "; give the head a `scale`, or a crop that the network's strides divide");
  const Tensor weights = class_weights(o);
  const double pixels = static_cast<double>(mask.size());
  Sum sum;
  if (o.cross_entropy > 0 || o.focal > 0) {
    const Var each(pixel_weights(mask, o));
    if (o.cross_entropy > 0) sum.add(o.cross_entropy / pixels, focal_loss(logits, Var(mask), each, {.gamma = 0}));
    if (o.focal > 0) sum.add(o.focal / pixels, focal_loss(logits, Var(mask), each, {.gamma = o.gamma}));
  }
  const bool regions = o.dice > 0 || o.focal_tversky > 0 || o.cl_dice > 0 || o.boundary > 0;
  if (!regions) return sum.value();
  const Var p = sigmoid(cast(logits, DType::f32)), t(mask);
  if (o.dice > 0) sum.add(o.dice, soft_dice_loss(p, t, {.smooth = 2, .class_weights = weights}));
  if (o.focal_tversky > 0)
    sum.add(
        o.focal_tversky,
        tversky_loss(
            p, t,
            {.alpha = o.tversky_alpha, .beta = 1 - o.tversky_alpha, .exponent = o.tversky_exponent, .class_weights = weights}));
  if (o.cl_dice > 0) sum.add(o.cl_dice, cl_dice_loss(p, t, o.thin));
  if (o.boundary > 0) sum.add(o.boundary, boundary_loss(p, Var(batch.targets.at("edges")), weights));
  return sum.value();
}

std::vector<double> one_each(Args& a, const char* name, std::size_t classes, const char* text) {
  const auto values = a.numbers(name, {}, text);
  check(values.empty() || values.size() == classes, a.where(), ": ", name, ": expected ", classes, " numbers, one a class, got ",
        values.size());
  for (const double v : values) check(v >= 0, a.where(), ": ", name, ": expected numbers from 0, got ", v);
  return values;
}

}  // namespace

HighlightLossOptions read_highlight_loss(Args& a, std::size_t classes) {
  constexpr Args::Range kWeight{0, 1e6};
  HighlightLossOptions o;
  o.cross_entropy = a.get("cross_entropy", o.cross_entropy, "weight of the mean binary cross-entropy", kWeight);
  o.dice = a.get("dice", o.dice, "weight of soft Dice", kWeight);
  o.focal = a.get("focal", o.focal, "weight of the focal loss", kWeight);
  o.gamma = a.get("gamma", o.gamma, "of focal: the exponent", {1, 10});
  o.focal_tversky = a.get("focal_tversky", o.focal_tversky, "weight of the focal Tversky loss", kWeight);
  o.tversky_alpha =
      a.get("tversky_alpha", o.tversky_alpha, "of focal_tversky: what false positives weigh; false negatives the rest", {0, 1});
  o.tversky_exponent = a.get("tversky_exponent", o.tversky_exponent, "of focal_tversky", {0.1, 3});
  o.cl_dice = a.get("cl_dice", o.cl_dice, "weight of centre-line Dice, for vessels", kWeight);
  o.thin = a.get("thin", o.thin, "of cl_dice: steps of thinning, at least the radius of the widest vessel in pixels", {1, 100});
  o.boundary = a.get("boundary", o.boundary, "weight of the boundary loss", kWeight);
  o.distance = a.get("distance", o.distance, "weight of the error of a head's `objects`", kWeight);
  o.deep = a.get("deep", o.deep, "weight of the coarser outputs of deep supervision, together", kWeight);
  o.class_weights = one_each(a, "class_weights", classes, "what each class weighs");
  o.positive_weights = one_each(a, "positive_weights", classes, "what pixels that have the class weigh in cross-entropy");
  check(o.cross_entropy + o.dice + o.focal + o.focal_tversky + o.cl_dice > 0, a.where(),
        ": losses: expected a weight above 0 for cross_entropy, dice, focal, focal_tversky or cl_dice");
  return o;
}

Var highlight_loss(const NamedVars& outputs, const Batch& batch, const HighlightLossOptions& o) {
  const Tensor& mask = batch.targets.at("mask");
  Sum sum;
  sum.add(1, logits_loss(outputs.at("logits"), batch, o));
  std::vector<Var> coarser;
  for (const auto& [name, value] : outputs) {
    if (name == "distance" && o.distance > 0) sum.add(o.distance, mse_loss(value, Var(batch.targets.at("distance"))));
    if (name.starts_with(kDeep)) coarser.push_back(value);
  }
  for (const Var& value : coarser)
    if (o.deep > 0)
      sum.add(o.deep / static_cast<double>(coarser.size()),
              logits_loss(resize(value, mask.dim(2), mask.dim(3), Resize::bilinear), batch, o));
  return sum.value();
}

}  // namespace fovea
