// Segmentation: a class for every pixel.
#include <algorithm>
#include <cmath>

#include "modules/explain/class_index.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/score_facts.hpp"
#include "pipeline/task.hpp"
#include "pipeline/tasks/segment/evaluator.hpp"
#include "pipeline/tasks/segment/operation.hpp"
#include "pipeline/tasks/segment/training.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples =
    R"(For each image: "photo.jpg.mask.png" with the labels, "photo.jpg.overlay.png" to look at, "photo.jpg.json" with the share of each class.

Example:
  fovea segment scans/ --model nuclei.safetensors -o labels --report
)";

// N x classes x H x W to N: the mean over the positions.
Var mean_of_class(const Var& maps, std::int64_t c) { return mean(slice(maps, 1, c, c + 1), {1, 2, 3}, false); }

Var probabilities_of(const Var& logits) { return logits.dim(1) == 1 ? sigmoid(logits) : softmax(logits, 1); }

class SegmentTask final : public Task {
 public:
  std::string name() const override { return "segment"; }
  std::string text() const override { return "Label every pixel"; }
  TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                    TrainOptions& options) const override {
    return segment_training(recipe, model, root, options);
  }
  std::vector<KeyGroup> keys() const override { return segment_keys(); }
  std::vector<TrainingFile> files(const Yaml& recipe, const std::filesystem::path& root) const override {
    return segment_files(recipe, root);
  }
  std::unique_ptr<Evaluator> evaluator() const override { return label_evaluator(); }
  std::vector<std::unique_ptr<AnswerScorer>> scorers() const override {
    std::vector<std::unique_ptr<AnswerScorer>> all;
    all.push_back(mask_scorer());
    return all;
  }
  std::unique_ptr<Operation> operation() const override { return segment_operation(); }
  std::string examples() const override { return kExamples; }

  // The mean over all positions of a class's logit; unless one is named of the class that has the most.
  ScoreOf score(const Model& model, const std::string& target, int top) const override {
    const auto wanted = target.empty() ? std::nullopt : std::optional(explain::class_index(target, model.classes()));
    return [model, wanted, top](const Tensor& logits) {
      const auto& classes = model.classes();
      std::vector<std::pair<double, std::int64_t>> shares;
      for (std::int64_t c = 0; c < logits.dim(1); ++c)
        shares.emplace_back(mean_of_class(probabilities_of(Var(logits)), c).value().values().at(0), c);
      std::stable_sort(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      const std::int64_t index = wanted.value_or(shares.front().second);
      ExplainedScore out{[index](const Var& y) { return mean_of_class(y, index); },
                         [index](const Var& y) { return mean_of_class(probabilities_of(y), index); },
                         {}};
      const auto told = [&](const std::pair<double, std::int64_t>& s) {
        return nlohmann::ordered_json{
            {"class", classes.at(static_cast<std::size_t>(s.second))}, {"index", s.second}, {"probability", s.first}};
      };
      std::vector<nlohmann::ordered_json> answers;
      std::transform(shares.begin(), shares.end(), std::back_inserter(answers), told);
      const auto chosen = std::find_if(shares.begin(), shares.end(), [&](const auto& s) { return s.second == index; });
      out.facts = score_facts(answers, told(*chosen), top);
      return out;
    };
  }
};

}  // namespace

FOVEA_TASK(segment) { return std::make_unique<SegmentTask>(); }

}  // namespace fovea
