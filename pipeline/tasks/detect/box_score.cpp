#include "pipeline/tasks/detect/box_score.hpp"

#include <algorithm>
#include <cmath>

#include "modules/explain/class_index.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/score_facts.hpp"
#include "pipeline/tasks/detect/detector.hpp"

namespace fovea {
namespace {

struct Found {
  ClassLogit at;
  std::int64_t label = 0;
  double logit = 0;
  double probability() const { return 1 / (1 + std::exp(-logit)); }
};

// The surest position of every class.
std::vector<Found> surest(const NamedTensors& outputs, const BoxCoding& coding, std::int64_t classes) {
  std::vector<Found> best(static_cast<std::size_t>(classes));
  for (Found& f : best) f.logit = -std::numeric_limits<double>::infinity();
  for (const int stride : coding.strides) {
    const std::string name = "class." + std::to_string(stride);
    const Tensor map = outputs.at(name).to(DType::f32).contiguous(Layout::channels_last);
    const std::int64_t channels = map.dim(1), width = map.dim(3);
    const float* z = map.data<float>();
    for (std::int64_t i = 0; i < map.dim(2) * width * channels; ++i) {
      Found& f = best[static_cast<std::size_t>(i % channels % classes)];
      check(std::isfinite(z[i]), "detect: a class logit is not finite");
      if (z[i] <= f.logit) continue;
      const std::int64_t position = i / channels;
      f = {{name, i % channels, position / width, position % width}, i % channels % classes, z[i]};
    }
  }
  return best;
}

}  // namespace

Var ClassLogit::operator()(const NamedVars& outputs) const {
  const Var& map = outputs.at(output);
  const Var one = slice(slice(slice(map, 1, channel, channel + 1), 2, row, row + 1), 3, column, column + 1);
  return reshape(one, {map.dim(0)});
}

ScoreOf box_score(const Model& model, const std::string& target, int top) {
  const BoxCoding coding = detect_head(model).coding();
  const std::vector<std::string> classes = model.classes();
  const auto wanted = target.empty() ? std::nullopt : std::optional(explain::class_index(target, classes));
  return [=](const NamedTensors& outputs) {
    std::vector<Found> all = surest(outputs, coding, static_cast<std::int64_t>(classes.size()));
    std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.logit > b.logit; });
    const Found& chosen =
        wanted ? *std::find_if(all.begin(), all.end(), [&](const Found& f) { return f.label == *wanted; }) : all.front();
    ExplainedScore out{chosen.at, [at = chosen.at](const NamedVars& y) { return sigmoid(at(y)); }, {}};
    const auto told = [&](const Found& f) {
      return nlohmann::ordered_json{{"class", classes.at(static_cast<std::size_t>(f.label))},
                                    {"index", f.label},
                                    {"probability", f.probability()},
                                    {"output", f.at.output},
                                    {"row", f.at.row},
                                    {"column", f.at.column}};
    };
    std::vector<nlohmann::ordered_json> answers;
    std::transform(all.begin(), all.end(), std::back_inserter(answers), told);
    out.facts = score_facts(answers, told(chosen), top);
    return out;
  };
}

}  // namespace fovea
