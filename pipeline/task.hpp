// A task: what a network is for. One folder pipeline/tasks/<name>/ whose files nobody else includes; one of them says
//   FOVEA_TASK(name) { return std::make_unique<NameTask>(); }
// and the build lists it. A network's head names its task (HeadInfo::task), a recipe its training's (`train: task:`). Everything else, such
// as the commands, studies, explanations and reports, knows tasks by this interface alone.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"
#include "modules/explain/score.hpp"
#include "modules/io/yaml.hpp"
#include "modules/model.hpp"
#include "modules/train/options.hpp"
#include "modules/train/trainer.hpp"
#include "pipeline/operation.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {

// A file that a training reads, and what a table or a folder's name says about it.
struct TrainingFile {
  std::filesystem::path path;
  std::string label = {};
};

// What a training needs of its task.
struct TrainJob {
  // How wrong the outputs are about a batch: a scalar.
  using Loss = std::function<Var(const NamedVars& outputs, const Batch& batch)>;

  std::unique_ptr<BatchSource> source;
  Loss loss;  // empty: there are no labels, and a teacher says what is right
  Trainer::Validate validate;
  std::string summary;  // of the data, for the user
  std::vector<std::string> warnings = {};
  // Numbers for the log beside the loss, about the batches that are trained on ("accuracy"); empty: none.
  std::function<std::map<std::string, double>(const NamedVars& outputs, const Batch& batch)> numbers = nullptr;
  std::map<std::string, std::string> files = {};  // to be written beside the checkpoints: what was put aside, what validates
};

// Measures a model on data with known answers. Made for one measurement: options, open, add for each batch, then the results.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual std::string data_text() const = 0;  // what --data names, for the help: "folders with ... inside"
  virtual void add_options(OptionList&) {}
  // Whether the model is only run, so that a program that needs it for nothing else may have it give its weights back (Model::release_weights). Asked once
  // the options are set.
  virtual bool runs_only() const { return true; }
  // `data` are folders, tables or lists, as the task understands them. Error for data that do not fit the model.
  virtual void open(const Model& model, const std::vector<std::filesystem::path>& data, DType precision) = 0;
  virtual std::string title() const = 0;  // what is measured on what, in one line
  virtual std::int64_t batches() const = 0;
  virtual void add(std::int64_t batch) = 0;
  // Once all batches are added.
  virtual double score() const = 0;       // the larger the better: what training selects by
  virtual std::string table() const = 0;  // for people
  virtual nlohmann::ordered_json json() const = 0;
  virtual std::map<std::string, std::string> files() const { return {}; }  // name and content of files that options ask for
  // What of the data was not measured: what is known once it is open, and behind it what showed itself while batches were added.
  virtual std::vector<BadFile> left_out() const { return {}; }
};

// Scores answers that were written before against the truth, without a model: `fovea eval <name> ...`.
class AnswerScorer {
 public:
  virtual ~AnswerScorer() = default;
  virtual std::string name() const = 0;  // of the subcommand: "boxes"
  virtual std::string text() const = 0;
  virtual void add_options(OptionList&) = 0;  // the files, too, by position
  virtual void run() = 0;
  virtual std::string table() const = 0;
  virtual nlohmann::ordered_json json() const = 0;
  virtual std::vector<BadFile> left_out() const { return {}; }  // what was not scored
};

// A further command of a task, `fovea <name> ...`, beside its verb. Made for one run: its options are offered and set, then it runs.
class TaskCommand {
 public:
  virtual ~TaskCommand() = default;
  virtual std::string name() const = 0;
  virtual std::string text() const = 0;      // one line
  virtual std::string examples() const = 0;  // for its help
  virtual void add_options(OptionList&) = 0;
  // False where `stop` ended it; then it has written nothing. UsageError for what can be found wrong before any work.
  virtual bool run(Progress& progress, const std::atomic<bool>& stop) = 0;
  // Once it has run to its end.
  virtual std::string table() const = 0;  // for people
  virtual nlohmann::ordered_json json() const = 0;
  virtual std::vector<BadFile> left_out() const { return {}; }
};

// What of a network's answer an explanation explains, for one image.
struct ExplainedScore {
  explain::Score score;          // whose gradient is followed
  explain::Score confidence;     // 0..1: what insertion and deletion watch
  nlohmann::ordered_json facts;  // what the network said ("predicted") and what is explained ("target"): objects with a "class"
};
using ScoreOf = OfOutputs<ExplainedScore, Tensor>;

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;
  virtual std::string text() const = 0;  // one line

  // Puts into a recipe what only its data know, such as the names of classes. Paths are relative to `root`.
  virtual void complete(Yaml& /*recipe*/, const std::filesystem::path& /*root*/) const {}
  // Reads the task's keys of `train:`. Error where the task cannot be trained (unless it overrides this).
  virtual TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                            TrainOptions& options) const;

  // The task's own keys of `train:`, as its training reads them.
  virtual std::vector<KeyGroup> keys() const { return {}; }
  // Every file that the recipe's training and its validation read, in their order: their names and contents are part of what a training is.
  virtual std::vector<TrainingFile> files(const Yaml& /*recipe*/, const std::filesystem::path& /*root*/) const { return {}; }

  virtual std::unique_ptr<Evaluator> evaluator() const { return nullptr; }  // null: it cannot be measured
  virtual std::vector<std::unique_ptr<AnswerScorer>> scorers() const { return {}; }
  virtual std::vector<std::unique_ptr<TaskCommand>> commands() const { return {}; }

  // What `fovea <verb>` does; null: it has no verb. The verb is the task's name unless it says another.
  virtual std::unique_ptr<Operation> operation() const { return nullptr; }
  virtual std::string verb() const { return name(); }
  virtual std::string examples() const { return {}; }  // for the verb's help

  // For explanations of a score: of the class, the object or the word that `target` names, else of what the network is surest of; `top`
  // answers are reported. Null: only attention can be shown. Error for a target that there is not.
  virtual ScoreOf score(const Model& /*model*/, const std::string& /*target*/, int /*top*/) const { return nullptr; }
};

class TaskRegistry {
 public:
  static const TaskRegistry& global();
  // Adds a task of a program's own: TaskRegistry::extend(register_task_brightness), where FOVEA_TASK(brightness) made that function. At the
  // start of the program. Error when the name is taken.
  static void extend(void (*register_task)(TaskRegistry&));

  void add(std::unique_ptr<Task> task);
  const Task& at(const std::string& name) const;  // Error with the nearest name
  const Task* find(const std::string& name) const;
  std::vector<const Task*> all() const;  // by name

 private:
  std::map<std::string, std::unique_ptr<Task>> tasks_;
};

// Defined by the build from the folders.
void register_all_tasks(TaskRegistry& registry);

#define FOVEA_TASK(name)                                                                  \
  static std::unique_ptr<::fovea::Task> make_task_##name();                               \
  void register_task_##name(TaskRegistry& registry) { registry.add(make_task_##name()); } \
  static std::unique_ptr<::fovea::Task> make_task_##name()

// The task that a model's head names. Error where there is none of that name.
const Task& task_of(const Model& model);

}  // namespace fovea
