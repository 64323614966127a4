// Retrieval: pictures by sentences, and sentences by pictures.
#include "pipeline/task.hpp"

#include "pipeline/tasks/retrieve/evaluator.hpp"
#include "pipeline/tasks/retrieve/search_command.hpp"
#include "pipeline/tasks/retrieve/training.hpp"

namespace fovea {
namespace {

class RetrieveTask final : public Task {
 public:
  std::string name() const override { return "retrieve"; }
  std::string text() const override { return "Find pictures by sentences, and sentences by pictures"; }
  void complete(Yaml& recipe, const std::filesystem::path& root) const override { complete_retrieve(recipe, root); }
  TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                    TrainOptions& options) const override {
    return retrieve_training(recipe, model, root, options);
  }
  std::vector<KeyGroup> keys() const override { return retrieve_keys(); }
  std::vector<TrainingFile> files(const Yaml& recipe, const std::filesystem::path& root) const override {
    return retrieve_files(recipe, root);
  }
  std::unique_ptr<Evaluator> evaluator() const override { return retrieve_evaluator(); }
  std::vector<std::unique_ptr<TaskCommand>> commands() const override {
    std::vector<std::unique_ptr<TaskCommand>> all;
    all.push_back(search_command());
    return all;
  }
};

}  // namespace

FOVEA_TASK(retrieve) { return std::make_unique<RetrieveTask>(); }

}  // namespace fovea
