#include "modules/train/options.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

OptimizerOptions read_optimizer(Args& a) {
  OptimizerOptions o;
  o.type = a.get("type", "adam", "sgd, adam or adamw");
  o.lr = a.get("lr", o.lr, "base learning rate");
  o.momentum = a.get("momentum", o.momentum, "of sgd");
  o.nesterov = a.get("nesterov", o.nesterov, "of sgd");
  o.beta1 = a.get("beta1", o.beta1, "of adam and adamw");
  o.beta2 = a.get("beta2", o.beta2, "of adam and adamw");
  o.epsilon = a.get("epsilon", o.epsilon, "of adam and adamw");
  o.weight_decay =
      a.get("weight_decay", o.weight_decay, "decoupled in adamw, else added to the gradient (PyTorch's AdamW: 0.01)");
  o.decay_vectors = a.get("decay_vectors", false, "whether biases, norms and gains decay, too, as PyTorch's do");
  o.no_decay = a.list("no_decay", o.no_decay, "globs of further parameters that do not decay");
  o.layer_decay = a.get("layer_decay", o.layer_decay, "factor on the rate from each layer to the one in front of it");
  a.elsewhere("lr_scale", "globs of parameters and factors on their learning rates: {\"backbone.**\": 0.1}");
  return o;
}

OptimizerOptions read_optimizer(const Yaml& y) {
  Args a = y.args();
  OptimizerOptions o = read_optimizer(a);
  a.done();
  if (y.has("lr_scale")) {
    Args factors = y.at("lr_scale").args();
    for (const std::string& glob : y.at("lr_scale").keys())
      o.lr_scale.emplace_back(glob, factors.get(glob, 1.0, "factor on the learning rate"));
  }
  check(o.lr > 0 && o.weight_decay >= 0, y.where(), ": expected lr > 0 and weight_decay >= 0");
  return o;
}

ScheduleOptions read_schedule(Args& a) {
  ScheduleOptions o;
  o.type = a.get("type", "constant", "constant, cosine or step; by steps, not epochs");
  o.warmup = a.get("warmup", 0, "steps of linear warm-up");
  o.floor = a.get("floor", 0.0, "final factor of cosine");
  o.every = a.get("every", 0, "interval of step, in steps");
  o.gamma = a.get("gamma", o.gamma, "factor of step (PyTorch's StepLR: 0.1)");
  return o;
}

ScheduleOptions read_schedule(const Yaml& y, std::int64_t steps) {
  Args a = y.args();
  ScheduleOptions o = read_schedule(a);
  o.steps = steps;
  a.done();
  schedule(o, 0);  // refuses what does not fit together
  return o;
}

TrainOptions read_general(Args& a) {
  TrainOptions o;
  a.elsewhere("task", "what is trained: `fovea list training` says which there are; required");
  o.steps = a.get("steps", static_cast<int>(o.steps), "optimiser steps in all");
  o.seed = static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
  o.threads =
      a.get("threads", 0, "processors; 0: all that the process may use; gradients are equal bit for bit on the same number");
  o.loaders = a.get("loaders", 1, "threads that make batches; results do not depend on it");
  o.precision = a.get("precision", "f32", "f32, bf16 (master weights, statistics and losses stay f32) or auto");
  o.loss = a.get("loss", "l1",
                 "of pictures made larger: l1, mse or charbonnier; of classes: cross_entropy; of masks: cross_entropy (their "
                 "default), dice or "
                 "dice_cross_entropy");
  o.clip = a.get("clip", 0.0, "limit on the norm of all gradients together; 0: none");
  o.ema =
      a.get("ema", 0.0,
            "decay of an average of the weights, which validation and the saved model then use; grows to this from 0.1; 0: none");
  o.accumulate = a.get("accumulate", 1, "batches whose mean gradient makes one step; steps count these, not batches");
  o.patience = a.get("patience", 0, "validations without a better score that end the training; 0: never");
  o.freeze = a.list("freeze", o.freeze, "globs of parameters that are not trained; frozen norms keep their statistics, too");
  o.weights = a.get("weights", "", "model to start from: what fits by name and shape is taken");
  o.log_every = a.get("log_every", 50, "steps between two lines of the log");
  o.validate_every = a.get("validate_every", 1000, "steps between two validations");
  o.checkpoint_every = a.get("checkpoint_every", 500, "steps between two checkpoints; there is one behind every validation, too");
  a.elsewhere("optimizer", "see train.optimizer");
  a.elsewhere("schedule", "see train.schedule");
  a.elsewhere("teacher", "a network to learn from, beside the labels or instead of them: see train.teacher");
  a.get("label_weight", 1.0, "of the task's own loss, beside a teacher");
  return o;
}

void describe_teacher(Args& a) {
  a.elsewhere("model", "the teacher: a file or the name of a shipped model; required");
  a.elsewhere("features", "pairs of maps that are compared: [{teacher: TAP, student: TAP, weight: 1}]");
  a.get("logits", 1.0, "weight of the divergence of the class probabilities; 0: none");
  a.get("temperature", 1.0, "of the class probabilities");
  a.get("forcing", 0.0, "share of the pictures with which the student goes on from the teacher's map");
}

}  // namespace

KeyGroup keys_read(const std::string& path, const std::function<void(Args&)>& read) {
  Args nothing;
  read(nothing);
  return {path, nothing.described()};
}

TrainOptions read_train_options(const Yaml& train, std::vector<std::string> task_keys) {
  std::vector<std::string> known = std::move(task_keys);
  for (const auto& key : keys_read("train", read_general).keys) known.push_back(key.name);
  train.only(known);
  Args a = train.args();
  TrainOptions o = read_general(a);
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

std::vector<KeyGroup> train_option_keys() {
  return {keys_read("train", read_general), keys_read("train.optimizer", [](Args& a) { read_optimizer(a); }),
          keys_read("train.schedule", [](Args& a) { read_schedule(a); }), keys_read("train.teacher", describe_teacher)};
}

}  // namespace fovea
