#include "pipeline/tasks/highlight/region_score.hpp"

#include <algorithm>
#include <cmath>

#include "modules/explain/class_index.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/score_facts.hpp"

namespace fovea {
namespace {

// Where one class was found, as weights that sum to 1: 1 x 1 x H x W.
struct Found {
  std::int64_t label = 0;
  double pixels = 0, probability = 0;  // mean, where it was found
  Tensor weights;
};

Found found_in(const Tensor& logits, std::int64_t label, double threshold) {
  const Tensor z = logits.slice(0, 0, 1).slice(1, label, label + 1).to(DType::f32).contiguous(Layout::row_major);
  Found f{label, 0, 0, Tensor::zeros(z.shape())};
  auto* weight = f.weights.data<float>();
  const float* from = z.data<float>();
  for (std::int64_t i = 0; i < z.size(); ++i) {
    const double p = 1 / (1 + std::exp(-static_cast<double>(from[i])));
    if (p >= threshold) ++f.pixels, f.probability += p, weight[i] = 1;
  }
  if (f.pixels > 0) f.probability /= f.pixels;
  const double count = f.pixels > 0 ? f.pixels : static_cast<double>(z.size());
  for (std::int64_t i = 0; i < z.size(); ++i) weight[i] = static_cast<float>((f.pixels > 0 ? weight[i] : 1) / count);
  return f;
}

// N x classes x H x W to N.
Var weighted(const Var& maps, const Found& f) {
  return sum(slice(maps, 1, f.label, f.label + 1) * Var(f.weights.to(maps.value().dtype())), {1, 2, 3}, false);
}

}  // namespace

ScoreOf region_score(const Model& model, const RegionRules& rules, const std::string& target, int top) {
  const auto wanted = target.empty() ? std::nullopt : std::optional(explain::class_index(target, model.classes()));
  return [model, wanted, top, rules](const Tensor& logits) {
    std::vector<Found> all;
    for (std::int64_t c = 0; c < logits.dim(1); ++c)
      all.push_back(found_in(logits, c, rules.thresholds.at(static_cast<std::size_t>(c))));
    std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.pixels > b.pixels; });
    const auto chosen =
        wanted ? *std::find_if(all.begin(), all.end(), [&](const Found& f) { return f.label == *wanted; }) : all.front();
    ExplainedScore out{[chosen](const Var& y) { return weighted(y, chosen); },
                       [chosen](const Var& y) { return weighted(sigmoid(y), chosen); },
                       {}};
    const auto told = [&](const Found& f) {
      return nlohmann::ordered_json{{"class", model.classes().at(static_cast<std::size_t>(f.label))},
                                    {"index", f.label},
                                    {"probability", f.probability},
                                    {"pixels", f.pixels}};
    };
    std::vector<nlohmann::ordered_json> answers;
    std::transform(all.begin(), all.end(), std::back_inserter(answers), told);
    out.facts = score_facts(answers, told(chosen), top);
    return out;
  };
}

}  // namespace fovea
