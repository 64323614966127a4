// The training loop: an abstract source of batches, a loss, a validation; checkpoints that a killed run resumes from bit for bit.
// The output folder holds
//   last.safetensors   checkpoint: weights, average, optimiser, step; written atomically
//   best.safetensors   model file with the best validated weights (the average, where there is one)
//   log.jsonl          one JSON object for each logged step or validation
//   curve.svg          loss and score against steps
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

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
  // Runs the model forward on the batch and says how wrong it is: a scalar.
  using Loss = std::function<Var(const Model&, const Batch&)>;
  using Validate = std::function<Validation(const Model&)>;
  struct Progress {
    std::int64_t step = 0, steps = 0;
    double loss = 0, lr = 0, steps_per_second = 0;
    const Validation* validation = nullptr;  // set when one was just made
  };

  Trainer(Model model, TrainOptions options, std::filesystem::path out);

  // What was taken from `weights:` and what starts afresh, in one line; empty without it.
  const std::string& taken() const { return taken_; }
  bool out_of_patience() const { return options_.patience > 0 && without_better_ >= options_.patience; }

  // Goes on from last.safetensors. Error when there is none or it belongs to another recipe.
  void resume();
  // Runs to the last step, until the patience is over, or until `stop` is set; a checkpoint is written before it returns. Returns whether
  // the training is at its end: at the last step, or out of patience.
  bool run(const BatchSource& source, const Loss& loss, const Validate& validate,
           const std::function<void(const Progress&)>& report, const std::atomic<bool>& stop);

 private:
  double step_once(Prefetcher& batches, const Loss& loss);
  double add_gradients(const Batch& batch, const Loss& loss);
  bool finished() const;
  void save_checkpoint() const;
  void validate(const Validate& validate, const std::function<void(const Progress&)>& report);
  void log(const nlohmann::json& record);

  Model model_;
  TrainOptions options_;
  std::filesystem::path out_;
  std::string taken_;
  Optimizer optimizer_;
  std::unique_ptr<Ema> ema_;
  DType precision_;
  Random random_;  // what the network draws while training
  std::int64_t step_ = 0;
  double best_ = -1e300;
  int without_better_ = 0;               // validations since the best score
  std::vector<nlohmann::json> records_;  // the log so far; the file is cut back to them on resume
};

}  // namespace fovea
