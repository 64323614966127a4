// Classification: one of several classes for the whole image.
#include <numeric>

#include "modules/explain/class_index.hpp"
#include "pipeline/predictions.hpp"
#include "pipeline/task.hpp"
#include "pipeline/tasks/classify/evaluator.hpp"
#include "pipeline/tasks/classify/operation.hpp"
#include "pipeline/tasks/classify/training.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples =
    R"(Without -o every picture's classes go to standard output, with --json as one JSON object a line. With -o, OUT gets predictions.csv and
predictions.jsonl, and with --report a page with thumbnails too.

Examples:
  fovea classify photo.jpg --model flowers.safetensors
  fovea classify photos/ --model flowers.safetensors --top 3 -o answers --report
  find . -name '*.jpg' -print0 | fovea classify - --model flowers.safetensors --json
)";

nlohmann::ordered_json told(const Prediction& p) {
  return {{"class", p.name}, {"index", p.index}, {"logit", p.logit}, {"probability", p.probability}};
}

class ClassifyTask final : public Task {
 public:
  std::string name() const override { return "classify"; }
  std::string text() const override { return "Say what pictures show"; }
  void complete(Yaml& recipe, const std::filesystem::path& root) const override { name_classes(recipe, root); }
  TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                    TrainOptions& options) const override {
    return classify_training(recipe, model, root, options);
  }
  std::vector<KeyGroup> keys() const override { return classify_keys(); }
  std::vector<TrainingFile> files(const Yaml& recipe, const std::filesystem::path& root) const override {
    return classify_files(recipe, root);
  }
  std::unique_ptr<Evaluator> evaluator() const override { return class_evaluator(); }
  std::vector<std::unique_ptr<AnswerScorer>> scorers() const override {
    std::vector<std::unique_ptr<AnswerScorer>> all;
    all.push_back(prediction_scorer());
    return all;
  }
  std::unique_ptr<Operation> operation() const override { return classify_operation(); }
  std::string examples() const override { return kExamples; }
  ScoreOf score(const Model& model, const std::string& target, int top) const override {
    const auto& classes = model.classes();
    const std::optional<std::int64_t> wanted =
        target.empty() ? std::nullopt : std::optional(explain::class_index(target, classes));
    return [&classes, model, wanted, top](const Tensor& logits) {
      const auto all = top_k(logits, classes, static_cast<int>(classes.size()));
      const auto index = wanted ? *wanted : static_cast<std::int64_t>(all.front().index);
      ExplainedScore out{explain::class_logit(index), explain::class_probability(index), {}};
      out.facts["predicted"] = nlohmann::ordered_json::array();
      for (std::size_t i = 0; i < all.size() && i < static_cast<std::size_t>(top); ++i)
        out.facts["predicted"].push_back(told(all[i]));
      for (const Prediction& p : all)
        if (static_cast<std::int64_t>(p.index) == index) out.facts["target"] = told(p);
      return out;
    };
  }
};

}  // namespace

FOVEA_TASK(classify) { return std::make_unique<ClassifyTask>(); }

}  // namespace fovea
