#include "pipeline/train_run.hpp"

#include <fmt/format.h>

#include <opencv2/core.hpp>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/train/distill.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/task.hpp"
#include "pipeline/train_identity.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::uint64_t read_seed(const Yaml& train) {
  Args a = train.args();
  return static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
}

// The task's own loss, the teacher's (any task may have a teacher), or both.
Trainer::Loss loss_of(const TrainJob& job, const Yaml& train, const Model& model, const fs::path& root) {
  Args a = train.args();
  const double weight = a.get("label_weight", 1.0, "of the task's own loss, beside a teacher");
  check(weight >= 0, train.where(), ": label_weight: expected a weight from 0, got ", weight);
  const auto numbers = [of = job.numbers](const NamedVars& outputs, const Batch& batch) {
    return of ? of(outputs, batch) : std::map<std::string, double>{};
  };
  if (!train.has("teacher")) {
    check(!train.has("label_weight"), train.where(), ": label_weight has a meaning only beside a teacher");
    check(job.loss != nullptr, train.where(), ": this task learns from a teacher: expected a key 'teacher'");
    return [loss = job.loss, numbers](const Model& m, const Batch& batch) {
      const NamedVars outputs = m.outputs(Var(batch.input()));
      return Trainer::Outcome(loss(outputs, batch), numbers(outputs, batch));
    };
  }
  return [loss = job.loss, numbers, weight, teacher = std::make_shared<Distillation>(train.at("teacher"), model, root)](
             const Model& m, const Batch& batch) {
    const Distillation::Outcome outcome = (*teacher)(m, batch);
    if (!loss) return Trainer::Outcome(outcome.loss);
    const Var both = Distillation::with_own_loss(outcome, loss(outcome.outputs, batch), weight);
    return Trainer::Outcome(both, numbers(outcome.outputs, batch));
  };
}

// What a training leaves in its folder; tables of files that were put aside end in "-quarantined.csv".
constexpr const char* kLeft[] = {"last.safetensors", "best.safetensors", "log.jsonl",
                                 "curve.svg",        "training.json",    "validation.csv"};

void clear(const fs::path& folder) {
  for (const char* name : kLeft) fs::remove(folder / name);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().ends_with("-quarantined.csv")) fs::remove(entry.path());
}

void check_unused(const TrainRun& run) {
  check(run.start != Start::fresh || !is_used(run.out), run.out.string(),
        ": holds another training; go on with it (--resume), begin again in its place (--overwrite), or use a new folder");
  check(run.start != Start::resume || is_used(run.out), run.out.string(),
        ": there is no training to go on with (no last.safetensors)");
}

// Refuses to go on with another training, and says what nobody can know.
void check_same(const TrainRun& run, const TrainIdentity& now) {
  const auto then = read_identity(run.out);
  if (!then) {
    run.warn(run.out.string() +
             ": nothing here says which data this training saw so far: whether they are the same cannot be checked");
    return;
  }
  std::string all;
  for (const std::string& d : differences(*then, now, true)) all += (all.empty() ? "" : "; ") + d;
  check(all.empty(), run.out.string(), ": this would be another training than the one to go on with: ", all,
        ". Use a new folder, or begin again in this one (--overwrite)");
}

void goes_on(const TrainRun& run, Trainer& trainer) {
  if (!fs::exists(run.out / "last.safetensors")) {
    run.say("no checkpoint was written yet: begins again");
    fs::remove(run.out / "best.safetensors");
    fs::remove(run.out / "log.jsonl");
    return;
  }
  for (const std::string& note : trainer.resume()) run.warn(note);
}

}  // namespace

const Task& task_of_training(const Yaml& recipe) {
  const Yaml& task = recipe.at("train").at("task");
  const PathScope where(task.where());
  return TaskRegistry::global().at(task.scalar());
}

bool is_used(const fs::path& folder) {
  for (const char* name : {"last.safetensors", "best.safetensors", "log.jsonl", "training.json"})
    if (fs::exists(folder / name)) return true;
  return false;
}

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
  check_unused(run);
  cv::setNumThreads(1);  // pictures are made by threads of their own, the rest of the processor is the network's
  complete_recipe(recipe, run.data_root);
  const Model model = Model::from_recipe(recipe, read_seed(recipe.at("train")));
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
  const TrainIdentity identity = identity_of(recipe, run.data_root);
  fs::create_directories(run.out);
  const FolderLock lock(run.out, run.warn);
  check_unused(run);  // another one may have come and gone meanwhile
  if (run.start == Start::resume) check_same(run, identity);
  Trainer trainer(model, options, run.out, identity.data_key());
  if (const Yaml& train = recipe.at("train"); train.has("teacher"))
    trainer.learns_from(license_of(load_teacher(train.at("teacher"), run.data_root)));
  if (run.start == Start::overwrite) clear(run.out);  // now that weights to start from are read: they may lie there
  if (run.start == Start::resume) goes_on(run, trainer);
  write_identity(run.out, identity);
  for (const auto& [name, text] : job.files) write_file_atomically(run.out / name, text.data(), text.size());
  if (!trainer.taken().empty()) run.say(trainer.taken());
  const bool finished = trainer.run(*job.source, loss, job.validate, run.progress, stop);
  if (trainer.out_of_patience()) run.say(fmt::format("ended early: {} validations without a better score", options.patience));
  return finished;
}

}  // namespace fovea
