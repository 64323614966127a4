#include "modules/nn/region_losses.hpp"

#include "modules/ops/binary.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

void check_maps(const char* what, const Var& p, const Var& t) {
  check(p.shape().rank() == 4 && p.shape() == t.shape(), what, ": expected a target N x C x H x W of shape ", p.shape(), ", got ",
        t.shape());
  check(p.shape().elements() > 0, what, ": expected at least one element, got ", p.shape());
}

// N x C values to their mean, each class as its weight says.
Var weighted_mean(const char* what, const Var& values, const Tensor& weights) {
  if (!weights.defined()) return mean(values, {0, 1}, false);
  check(weights.rank() == 1 && weights.dim(0) == values.dim(1), what, ": expected ", values.dim(1), " class weights, got ",
        weights.shape());
  double total = 0;
  for (const double w : weights.values()) total += w;
  check(total > 0, what, ": expected class weights above 0 in sum, got ", total);
  const Var each(weights.to(values.value().dtype()).reshape({1, values.dim(1)}));
  return scale(sum(values * each, {0, 1}, false), 1 / (total * static_cast<double>(values.dim(0))));
}

// Sums over positions: N x C.
Var area(const Var& x) { return sum(x, {2, 3}, false); }

// The least value of neighbours along rows and columns, and the largest of the 3 x 3 around: what thinning is made of.
Var eroded(const Var& x) { return neg(max_pool2d(neg(x), {.kernel = 3, .stride = 1, .pad = 1})); }
Var opened(const Var& x) { return max_pool2d(eroded(x), {.kernel = 3, .stride = 1, .pad = 1}); }

}  // namespace

Var tversky_loss(const Var& p, const Var& t, const TverskyOptions& o) {
  check_maps("tversky_loss", p, t);
  check(o.exponent > 0 && o.smooth > 0, "tversky_loss: expected exponent and smooth above 0, got ", o.exponent, " and ",
        o.smooth);
  const Var both = area(p * t);
  const Var false_positives = area(p) - both, false_negatives = area(t) - both;
  const Var wrong = scale(false_positives, o.alpha) + scale(false_negatives, o.beta);
  // 1 - (tp + s) / (tp + wrong + s) = wrong / (tp + wrong + s), without the difference of near equals.
  Var loss = wrong / scale(both + wrong, 1, o.smooth);
  if (o.exponent != 1) loss = pow(clamp(loss, 1e-7, 1), o.exponent);
  return weighted_mean("tversky_loss", loss, o.class_weights);
}

Var soft_skeleton(const Var& x, int iterations) {
  Var rest = x;
  Var skeleton = relu(rest - opened(rest));
  for (int i = 0; i < iterations; ++i) {
    rest = eroded(rest);
    const Var line = relu(rest - opened(rest));
    skeleton = skeleton + relu(line - skeleton * line);
  }
  return skeleton;
}

Var cl_dice_loss(const Var& p, const Var& t, int iterations, double smooth) {
  check_maps("cl_dice_loss", p, t);
  check(iterations >= 1 && smooth > 0, "cl_dice_loss: expected at least one iteration and smooth above 0, got ", iterations,
        " and ", smooth);
  const Var line_p = soft_skeleton(p, iterations), line_t = soft_skeleton(t, iterations);
  const Var precision = scale(area(line_p * t), 1, smooth) / scale(area(line_p), 1, smooth);
  const Var sensitivity = scale(area(line_t * p), 1, smooth) / scale(area(line_t), 1, smooth);
  return scale(mean(precision * sensitivity / (precision + sensitivity), {0, 1}, false), -2, 1);
}

Var boundary_loss(const Var& p, const Var& signed_distance, const Tensor& class_weights) {
  check_maps("boundary_loss", p, signed_distance);
  return weighted_mean("boundary_loss", mean(p * signed_distance, {2, 3}, false), class_weights);
}

}  // namespace fovea
