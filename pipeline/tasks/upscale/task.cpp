// Super-resolution: images made larger.
#include "pipeline/task.hpp"
#include "pipeline/tasks/upscale/evaluator.hpp"
#include "pipeline/tasks/upscale/operation.hpp"
#include "pipeline/tasks/upscale/training.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples = R"(Examples:
  fovea upscale photo.jpg -o larger --scale 2
  fovea upscale photos/ -o larger --scale 4 --format png --report
  find . -name '*.tif' -print0 | fovea upscale - -o larger --scale 2 --maps npy
)";

class UpscaleTask final : public Task {
 public:
  std::string name() const override { return "upscale"; }
  std::string text() const override { return "Make images larger with a super-resolution network"; }
  TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                    TrainOptions& options) const override {
    return upscale_training(recipe, model, root, options);
  }
  std::vector<KeyGroup> keys() const override { return upscale_keys(); }
  std::vector<TrainingFile> files(const Yaml& recipe, const std::filesystem::path& root) const override {
    return upscale_files(recipe, root);
  }
  std::unique_ptr<Evaluator> evaluator() const override { return upscale_evaluator(); }
  std::vector<std::unique_ptr<AnswerScorer>> scorers() const override {
    std::vector<std::unique_ptr<AnswerScorer>> all;
    all.push_back(picture_scorer());
    return all;
  }
  std::unique_ptr<Operation> operation() const override { return upscale_operation(); }
  std::string examples() const override { return kExamples; }
};

}  // namespace

FOVEA_TASK(upscale) { return std::make_unique<UpscaleTask>(); }

}  // namespace fovea
