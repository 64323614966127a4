// Trains a classifier on a folder that has one folder a class, measures it on pictures that were held out, and runs it over the whole folder
// as `fovea classify` does: tables, report, and a rerun that does only what is left.
// usage: train_and_run PICTURES OUT
#include <cstdio>
#include <fstream>

#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/task.hpp"
#include "pipeline/train_run.hpp"

namespace {

constexpr const char* kRecipe = R"(
fovea: 1
model:
  backbone: {type: resnet, layers: [1, 1], widths: [8, 16], stem: cifar}
  attention: [{at: "backbone.layer2.*.pre_add", type: cbam, start: identity}]
  head: {type: classify}
preprocess: {size: 32}
train: {task: classify, data: pictures, validate_share: 0.25, batch: 8, steps: 60, validate_every: 30, optimizer: {type: adamw, lr: 0.01}}
)";

// The held-out pictures of the training, once more, by the evaluator of the model's own task.
double measured(const fovea::Model& model, const std::filesystem::path& table) {
  const auto evaluator = fovea::task_of(model).evaluator();
  evaluator->open(model, {table}, fovea::DType::f32);
  for (std::int64_t i = 0; i < evaluator->batches(); ++i) evaluator->add(i);
  std::printf("%s\n%s", evaluator->title().c_str(), evaluator->table().c_str());
  return evaluator->score();
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace fovea;
  check(argc == 3, "usage: train_and_run PICTURES OUT");
  const std::filesystem::path pictures = argv[1], out = argv[2];
  Yaml recipe = Yaml::parse(kRecipe, "recipe");
  recipe.set("train.data", "'" + std::filesystem::absolute(pictures).string() + "'");
  const std::atomic<bool> stop{false};
  train(recipe, {"/", out / "training", Start::overwrite}, stop);

  const Model model = Model::load((out / "training/best.safetensors").string());
  std::printf("score %.3f\n", measured(model, out / "training/validation.csv"));

  const auto verb = task_of(model).operation();
  OptionList options;
  verb->add_options(options);
  options.set("top", "2");
  Process process(*verb, {.inputs = {pictures.string()}, .out = out / "answers", .report = true}, model);
  const FileRunResult result = process.run(*make_progress(ProgressKind::quiet));
  std::printf("%zu pictures, %zu quarantined\n", result.done, result.quarantined);
  return result.exit_code();
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
