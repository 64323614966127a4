// One-class highlighting: how far the features of each place are from those of normal pictures. PatchCore, Roth et al. 2022, arXiv:2106.08265.
//   x = W (p - mean)                  p: means of 3x3 cells of each feature, enlarged to the finest one, side by side; W whitens them, so that distances
//                                     are Mahalanobis's, as PaDiM's (Defard et al. 2020, arXiv:2011.08785), of one covariance for all places
//   d = min over m of |x - m|         m: the memory's vectors; |x - m|^2 = |x|^2 - 2 (x.m - |m|^2 / 2), a 1x1 convolution and a maximum
//   y = (ln(G * d) - ln limit) / spread    G: a Gaussian of `smooth` cells; y is the logit of an anomaly: 0.5 at the limit, and in logarithms so that
//                                          what is far and what is very far stay apart
// What fits it (`fovea fit-normal`) fills the buffers memory (vectors x C x 1 x 1), mean (C) and whiten (C x C x 1 x 1). Taps: features (p, N x C x h x w),
// patches (x), nearest (d).
#include <algorithm>
#include <cmath>

#include "modules/core/whole.hpp"
#include "modules/heads/highlight.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kTogether = 512;  // vectors whose products are there at once
constexpr double kReach = 3;             // of the Gaussian, in deviations
constexpr double kLeast = 1e-6;          // added to distances, which then have logarithms

struct Options {
  int vectors = 1;
  double smooth = 0, mean = 0, spread = 1, limit = 1;
};

int finest_stride(Features in) {
  const auto finer = [](const Feature& a, const Feature& b) { return a.stride < b.stride; };
  return std::min_element(in.begin(), in.end(), finer)->stride;
}

std::int64_t channels_of(Features in) {
  std::int64_t sum = 0;
  for (const Feature& f : in) sum += f.channels;
  return sum;
}

HeadInfo info_of(int stride) {
  const auto map = [&](const char* name, const char* kind) {
    return OutputInfo{
        name,
        kind,
        {OutputAxis::batch(), OutputAxis::constant(1), OutputAxis::height(stride, stride), OutputAxis::width(stride, stride)}};
  };
  return {
      "highlight", {"anomaly"}, {map("logits", "region logits"), map("distance", "distance to what is normal, in its spreads")}};
}

// One row of a normalised Gaussian.
Tensor gaussian(double sigma) {
  const auto reach = whole<std::int64_t>(std::ceil(kReach * sigma), "patch_memory: smooth");
  std::vector<float> weights;
  double sum = 0;
  for (std::int64_t i = -reach; i <= reach; ++i) sum += std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma));
  for (std::int64_t i = -reach; i <= reach; ++i)
    weights.push_back(static_cast<float>(std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma)) / sum));
  return Tensor::from(weights, {1, 1, 1, 2 * reach + 1});
}

class PatchMemory final : public HighlightHead {
 public:
  PatchMemory(const Scope& s, Features in, const Options& o, const RegionRules& rules)
      : HighlightHead(s, info_of(finest_stride(in)), rules),
        o_(o),
        stride_(finest_stride(in)),
        memory_(s.buffer("memory", {o.vectors, channels_of(in), 1, 1}, 0)),
        mean_(s.buffer("mean", {channels_of(in)}, 0)),
        whiten_(s.buffer("whiten", {channels_of(in), channels_of(in), 1, 1}, 0)) {
    if (o.smooth > 0) blur_ = gaussian(o.smooth);
  }

 protected:
  Vars forward(const Vars& in) const override {
    const Var d = smoothed(tap("nearest", nearest(tap("patches", whitened(tap("features", neighbourhoods(in)))))));
    const Var full = resize(d, d.dim(2) * stride_, d.dim(3) * stride_, Resize::bilinear);
    const Var far = log(scale(full, 1, kLeast));
    return {tap("logits", scale(far, 1 / o_.spread, -std::log(o_.limit) / o_.spread)),
            tap("distance", scale(far, 1 / o_.spread, -o_.mean / o_.spread))};
  }

 private:
  static Var neighbourhoods(const Vars& in) {
    check(!in.empty(), "expected a feature, got none");
    std::int64_t height = 0, width = 0;
    for (const Var& f : in) height = std::max(height, f.dim(2)), width = std::max(width, f.dim(3));
    Vars parts;
    for (const Var& f : in) {
      const Var pooled = avg_pool2d(f, {.kernel = 3, .stride = 1, .pad = 1, .count_include_pad = false});
      const bool fits = f.dim(2) == height && f.dim(3) == width;
      parts.push_back(fits ? pooled : resize(pooled, height, width, Resize::bilinear));
    }
    return parts.size() == 1 ? parts[0] : concat(parts, 1);
  }
  Var whitened(const Var& p) const { return conv2d(p - reshape(mean_, {1, p.dim(1), 1, 1}), whiten_, {}, {}); }
  Var nearest(const Var& x) const {
    Var best;  // the largest x.m - |m|^2 / 2
    for (std::int64_t first = 0; first < o_.vectors; first += kTogether) {
      const Var m = slice(memory_, 0, first, std::min<std::int64_t>(first + kTogether, o_.vectors));
      const Var half = reshape(scale(sum(m * m, {1, 2, 3}), -0.5), {m.dim(0)});
      const Var closest = max(conv2d(x, m, half, {}), {1});
      best = best.defined() ? maximum(best, closest) : closest;
    }
    return sqrt(relu(sum(x * x, {1}) - scale(best, 2)));  // rounding may leave a little less than 0
  }
  // Edges are repeated: what is even stays as it is, up to the edge.
  Var smoothed(const Var& d) const {
    if (!blur_.defined()) return d;
    const std::int64_t reach = blur_.dim(3) / 2;
    const Var across = conv2d(pad2d(d, {.left = reach, .right = reach}, PadMode::replicate), Var(blur_), {}, {});
    const Var down = Var(blur_.reshape({1, 1, blur_.dim(3), 1}));
    return conv2d(pad2d(across, {.top = reach, .bottom = reach}, PadMode::replicate), down, {}, {});
  }

  Options o_;
  int stride_;
  Var memory_, mean_, whiten_;
  Tensor blur_;
};

}  // namespace

FOVEA_HEAD(patch_memory, "anomalies: distance to the nearest of many features of normal pictures",
           "Roth et al. 2022, arXiv:2106.08265") {
  Options o;
  o.vectors = args.get("vectors", 2000, "in the memory", {1, 65536});
  o.smooth = args.get("smooth", 0.5, "deviation of the Gaussian over the distances, in cells of the finest feature", {0, 8});
  o.mean = args.get("mean", 0.0, "of the logarithms of normal places' distances", {-20, 20});
  o.spread = args.get("spread", 1.0, "standard deviation of those logarithms", {1e-3, 1e3});
  o.limit = args.get("limit", 1.0, "distance of which the probability is 0.5", {1e-6, 1e9});
  RegionRules rules;
  rules.thresholds = {args.get("threshold", 0.5, "probability from which a pixel belongs to an anomaly", {0, 1})};
  rules.least_area = {args.get("least_area", 0.0, "of an anomaly, in pixels of the input", {0, 1e9})};
  rules.margin =
      args.get("margin", 32, "pixels of the input that are mirrored around it: edges then look like the inside", {0, 512});
  rules.scored = true;
  return std::make_unique<PatchMemory>(scope, features, o, rules);
}

}  // namespace fovea
