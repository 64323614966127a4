// The `train:` part of a recipe that does not depend on the task.
#pragma once

#include <functional>

#include "modules/core/dtype.hpp"
#include "modules/io/yaml.hpp"
#include "modules/nn/optim.hpp"

namespace fovea {

struct TrainOptions {
  std::int64_t steps = 1000;
  std::uint64_t seed = 0;
  int threads = 0;  // 0: all that the process may use
  int loaders = 1;
  std::string precision = "f32";
  std::string loss = "l1";
  double clip = 0;                  // limit on the gradient's norm; 0: none
  double ema = 0;                   // decay; 0: off. Validation and the saved weights then use the average
  int accumulate = 1;               // batches whose gradients make one step: their mean
  int patience = 0;                 // validations without a better score after which training ends; 0: none
  std::vector<std::string> freeze;  // globs of parameters that stay as they are; frozen norms keep their statistics too
  std::string weights;              // fine-tuning: a model file whose weights are taken where names and shapes agree
  std::int64_t log_every = 50, validate_every = 1000, checkpoint_every = 500;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
};

// Keys of a recipe's mapping with their defaults, for people: what the function that reads them asks for, so that nothing is missing.
struct KeyGroup {
  std::string path;  // "train.optimizer"
  std::vector<Args::Described> keys;
};
KeyGroup keys_read(const std::string& path, const std::function<void(Args&)>& read);

// All that does not depend on the task.
std::vector<KeyGroup> train_option_keys();

// Reads and checks `train:`; keys that belong to the task are left to it (`task_keys`).
TrainOptions read_train_options(const Yaml& train, std::vector<std::string> task_keys);

}  // namespace fovea
