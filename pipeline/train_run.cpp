#include "pipeline/train_run.hpp"

#include <fmt/format.h>

#include <opencv2/core.hpp>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/train/distill.hpp"
#include "pipeline/task.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::uint64_t read_seed(const Yaml& train) {
  Args a = train.args();
  return static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
}

const Task& task_of_training(const Yaml& recipe) {
  const Yaml& task = recipe.at("train").at("task");
  const PathScope where(task.where());
  return TaskRegistry::global().at(task.scalar());
}

// The task's own loss, the teacher's (any task may have a teacher), or both.
Trainer::Loss loss_of(const TrainJob& job, const Yaml& train, const Model& model, const fs::path& root) {
  Args a = train.args();
  const double weight = a.get("label_weight", 1.0, "of the task's own loss, beside a teacher");
  check(weight >= 0, train.where(), ": label_weight: expected a weight from 0, got ", weight);
  if (!train.has("teacher")) {
    check(!train.has("label_weight"), train.where(), ": label_weight has a meaning only beside a teacher");
    check(job.loss != nullptr, train.where(), ": this task learns from a teacher: expected a key 'teacher'");
    return [loss = job.loss](const Model& m, const Batch& batch) { return loss(m.outputs(Var(batch.input())), batch); };
  }
  return [loss = job.loss, weight, teacher = std::make_shared<Distillation>(train.at("teacher"), model, root)](
             const Model& m, const Batch& batch) {
    const Distillation::Outcome outcome = (*teacher)(m, batch);
    return loss ? Distillation::with_own_loss(outcome, loss(outcome.outputs, batch), weight) : outcome.loss;
  };
}

}  // namespace

Yaml read_recipe(const fs::path& file, const std::vector<std::string>& overrides) {
  const auto bytes = read_file(file);
  Yaml recipe = Yaml::parse({bytes.begin(), bytes.end()}, file.string());
  for (const std::string& o : overrides) {
    const auto equal = o.find('=');
    check(equal != std::string::npos && equal > 0, "expected key=value, got '", o, "'");
    recipe.set(o.substr(0, equal), o.substr(equal + 1));
  }
  return recipe;
}

void complete_recipe(Yaml& recipe, const fs::path& data_root) { task_of_training(recipe).complete(recipe, data_root); }

bool train(Yaml recipe, const TrainRun& run, const std::atomic<bool>& stop) {
  cv::setNumThreads(1);  // pictures are made by threads of their own, the rest of the processor is the network's
  complete_recipe(recipe, run.data_root);
  const Model model = Model::from_recipe(recipe.str(), read_seed(recipe.at("train")));
  const std::int64_t parameters = model.params()->count();
  TrainOptions options;
  const TrainJob job = task_of_training(recipe).training(recipe, model, run.data_root, options);
  const Trainer::Loss loss = loss_of(job, recipe.at("train"), model, run.data_root);
  std::string warning;
  const DType precision = parse_precision(options.precision, &warning);
  if (!warning.empty()) run.warn(warning);
  run.say(fmt::format("{}: {} parameters; {}; {} on {} threads", model.name(), parameters, job.summary, name_of(precision),
                      options.threads > 0 ? options.threads : cpu_budget()));
  for (const std::string& w : job.warnings) run.warn(w);
  Trainer trainer(model, options, run.out);
  for (const auto& [name, text] : job.files) write_file_atomically(run.out / name, text.data(), text.size());
  if (!trainer.taken().empty()) run.say(trainer.taken());
  if (run.resume) trainer.resume();
  const bool finished = trainer.run(*job.source, loss, job.validate, run.progress, stop);
  if (trainer.out_of_patience()) run.say(fmt::format("ended early: {} validations without a better score", options.patience));
  return finished;
}

}  // namespace fovea
