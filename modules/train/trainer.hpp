// The training loop: an abstract source of batches, a loss, a validation; checkpoints that a killed run resumes from bit for bit.
// The output folder holds
//   last.safetensors   checkpoint: weights, average, optimiser, step; written atomically, and only while all weights are finite
//   best.safetensors   model file with the best validated weights (the average, where there is one)
//   log.jsonl          one JSON object for each logged step or validation
//   curve.svg          loss and score against steps
// A folder that holds any of them is used: only resume() goes on there.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "modules/license.hpp"
#include "modules/model.hpp"
#include "modules/train/batch_source.hpp"
#include "modules/train/options.hpp"

namespace fovea {

struct Validation {
  double score = 0;  // larger is better
  nlohmann::json details;
};

class Trainer {
 public:
  // What a batch came to: how wrong the model is, a scalar, and numbers for the log, which has their means ("accuracy").
  struct Outcome {
    Outcome(Var how_wrong, std::map<std::string, double> for_the_log = {})  // a loss alone is an outcome, too
        : loss(std::move(how_wrong)), numbers(std::move(for_the_log)) {}
    Var loss;
    std::map<std::string, double> numbers;
  };
  // Runs the model forward on the batch.
  using Loss = std::function<Outcome(const Model&, const Batch&)>;
  using Validate = std::function<Validation(const Model&)>;
  struct Progress {
    std::int64_t step = 0, steps = 0;
    double loss = 0, lr = 0, steps_per_second = 0;
    const Validation* validation = nullptr;   // set when one was just made
    std::map<std::string, double> numbers{};  // of the batches since the last report
  };

  // `data`: tells the data of one training from another's, a fingerprint; empty where nobody knows. A resumed run must say the same.
  Trainer(Model model, TrainOptions options, std::filesystem::path out, std::string data = "");

  // The saved model is under these terms, too: those of a teacher. Of `weights:` they are by themselves.
  void learns_from(const License& source) { license_ = derived(license_, source); }
  // What was taken from `weights:` and what starts afresh, in one line; empty without it.
  const std::string& taken() const { return taken_; }
  bool out_of_patience() const { return options_.patience > 0 && without_better_ >= options_.patience; }

  // Goes on from last.safetensors. What cannot change results may have changed in the recipe (recipe_changes.hpp), and so may its end: more
  // steps, more patience. Returns what the user should know of that. Error when there is no checkpoint or it belongs to another recipe or
  // other data, naming what differs.
  std::vector<std::string> resume();
  // Runs to the last step, until the patience is over, or until `stop` is set; a checkpoint is written before it returns. Returns whether
  // the training is at its end: at the last step, or out of patience. Error where a fresh run finds a used folder, and where losses,
  // gradients, weights or what the model says are not finite any more: it names the step, the rate, what to try, and the last good weights.
  bool run(const BatchSource& source, const Loss& loss, const Validate& validate,
           const std::function<void(const Progress&)>& report, const std::atomic<bool>& stop);

 private:
  struct Running;  // sums since the last line of the log
  void step_once(Prefetcher& batches, const Loss& loss, Running& sums);
  double add_gradients(const Batch& batch, const Loss& loss, Running& sums);
  void report_step(Running& sums, double waited, const std::function<void(const Progress&)>& report);
  bool finished() const;
  double rate_at(std::int64_t step) const { return optimizer_.lr() * schedule(options_.schedule, step); }
  std::vector<std::string> accept_changes(const std::string& recipe, std::int64_t steps_then) const;
  void read_log(std::size_t records);
  [[noreturn]] void diverged(const std::string& what) const;
  void save_checkpoint();
  void validate(const Validate& validate, const std::function<void(const Progress&)>& report);
  void log(const nlohmann::json& record);

  Model model_;
  TrainOptions options_;
  std::filesystem::path out_;
  std::string data_, taken_;
  License license_;  // of the model to save
  Optimizer optimizer_;
  std::unique_ptr<Ema> ema_;
  DType precision_;
  Random random_;  // what the network draws while training
  std::int64_t step_ = 0;
  std::int64_t saved_ = -1;  // step of the checkpoint; -1: none
  double best_ = -1e300;
  int without_better_ = 0;               // validations since the best score
  std::vector<nlohmann::json> records_;  // the log so far; the file is cut back to them on resume
};

}  // namespace fovea
