#include "modules/train/options.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

OptimizerOptions read_optimizer(const Yaml& y) {
  Args a = y.args();
  OptimizerOptions o;
  o.type = a.get("type", "adam", "sgd, adam or adamw");
  o.lr = a.get("lr", o.lr, "base learning rate");
  o.momentum = a.get("momentum", o.momentum, "of sgd");
  o.nesterov = a.get("nesterov", o.nesterov, "of sgd");
  o.beta1 = a.get("beta1", o.beta1, "of adam");
  o.beta2 = a.get("beta2", o.beta2, "of adam");
  o.epsilon = a.get("epsilon", o.epsilon, "of adam");
  o.weight_decay = a.get("weight_decay", o.weight_decay, "decoupled in adamw");
  o.decay_vectors = a.get("decay_vectors", false, "whether biases, norms and gains decay too");
  o.no_decay = a.list("no_decay", o.no_decay, "globs of further parameters that do not decay");
  o.layer_decay = a.get("layer_decay", o.layer_decay, "factor on the rate from each layer to the one in front of it");
  a.elsewhere("lr_scale", "globs of parameters and factors on their learning rates");
  a.done();
  if (y.has("lr_scale")) {
    Args factors = y.at("lr_scale").args();
    for (const std::string& glob : y.at("lr_scale").keys())
      o.lr_scale.emplace_back(glob, factors.get(glob, 1.0, "factor on the learning rate"));
  }
  check(o.lr > 0 && o.weight_decay >= 0, y.where(), ": expected lr > 0 and weight_decay >= 0");
  return o;
}

ScheduleOptions read_schedule(const Yaml& y, std::int64_t steps) {
  Args a = y.args();
  ScheduleOptions o;
  o.type = a.get("type", "constant", "constant, cosine or step");
  o.steps = steps;
  o.warmup = a.get("warmup", 0, "steps of linear warm-up");
  o.floor = a.get("floor", 0.0, "final factor of cosine");
  o.every = a.get("every", 0, "interval of step");
  o.gamma = a.get("gamma", o.gamma, "factor of step");
  a.done();
  schedule(o, 0);  // refuses what does not fit together
  return o;
}

}  // namespace

TrainOptions read_train_options(const Yaml& train, std::vector<std::string> task_keys) {
  std::vector<std::string> known{
      "task",     "steps",      "seed",     "threads",   "loaders",        "precision",        "loss",
      "clip",     "ema",        "weights",  "log_every", "validate_every", "checkpoint_every", "optimizer",
      "schedule", "accumulate", "patience", "freeze",    "teacher",        "label_weight"};
  known.insert(known.end(), task_keys.begin(), task_keys.end());
  train.only(known);
  Args a = train.args();
  TrainOptions o;
  o.steps = a.get("steps", static_cast<int>(o.steps), "optimiser steps in all");
  o.seed = static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
  o.threads = a.get("threads", 0, "0: all");
  o.loaders = a.get("loaders", 1, "threads that make batches");
  o.precision = a.get("precision", "f32", "f32, bf16 or auto");
  o.loss = a.get("loss", "l1", "of the task");
  o.clip = a.get("clip", 0.0, "limit on the gradient's norm");
  o.ema = a.get("ema", 0.0, "decay of the average of weights");
  o.accumulate = a.get("accumulate", 1, "batches a step");
  o.patience = a.get("patience", 0, "validations without a better score that end the training; 0: never");
  o.freeze = a.list("freeze", o.freeze, "globs of parameters that are not trained");
  o.weights = a.get("weights", "", "model file to start from");
  o.log_every = a.get("log_every", 50, "steps");
  o.validate_every = a.get("validate_every", 1000, "steps");
  o.checkpoint_every = a.get("checkpoint_every", 500, "steps");
  check(o.steps > 0 && o.loaders > 0 && o.log_every > 0 && o.validate_every > 0 && o.checkpoint_every > 0, train.where(),
        ": steps, loaders and intervals must be positive");
  check(o.accumulate > 0 && o.patience >= 0, train.where(), ": expected accumulate > 0 and patience >= 0");
  check(o.clip >= 0 && o.ema >= 0 && o.ema < 1 && o.threads >= 0, train.where(),
        ": expected clip >= 0, ema in [0, 1) and threads >= 0");
  parse_precision(o.precision);
  if (train.has("optimizer")) o.optimizer = read_optimizer(train.at("optimizer"));
  if (train.has("schedule")) o.schedule = read_schedule(train.at("schedule"), o.steps);
  return o;
}

}  // namespace fovea
