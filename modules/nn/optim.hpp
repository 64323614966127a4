// Optimisers: one fused pass over each parameter. Their state is named after the parameters, so a checkpoint holds it.
#pragma once

#include <map>
#include <memory>

#include "modules/nn/scope.hpp"

namespace fovea {

struct OptimizerOptions {
  std::string type = "adam";  // sgd, adam, adamw
  double lr = 1e-3;
  double momentum = 0;                                // sgd
  bool nesterov = false;                              // sgd
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // adam, adamw
  double weight_decay = 0;  // sgd, adam: added to the gradient; adamw: decoupled (Loshchilov and Hutter 2019, arXiv:1711.05101)
};

class Optimizer {
 public:
  // Updates what is trainable in the store at each step(); parameters without a gradient are left alone.
  Optimizer(std::shared_ptr<ParamStore> store, const OptimizerOptions& options);

  void step(double lr);
  double lr() const { return options_.lr; }  // the base rate, which schedules scale

  // "NAME.momentum" or "NAME.m", "NAME.v".
  std::map<std::string, Tensor> state() const;
  std::int64_t steps() const { return steps_; }
  void restore(const std::map<std::string, Tensor>& state, std::int64_t steps);

 private:
  Tensor& slot(const std::string& name, const Var& parameter);

  std::shared_ptr<ParamStore> store_;
  OptimizerOptions options_;
  std::map<std::string, Tensor> state_;
  std::int64_t steps_ = 0;
};

// Scales all gradients so that their common L2 norm is at most `limit`; returns the norm before. limit 0 only measures.
double clip_gradients(ParamStore& store, double limit);

struct ScheduleOptions {
  std::string type = "constant";  // constant, cosine, step
  std::int64_t steps = 0;         // total, for cosine
  std::int64_t warmup = 0;        // linear from 0 over the first steps
  double floor = 0;               // cosine: final factor
  std::int64_t every = 0;         // step: interval
  double gamma = 0.5;             // step: factor at each interval
};

// The factor on the learning rate at `step` (from 0).
double schedule(const ScheduleOptions& options, std::int64_t step);

// Exponential moving average of the parameters (buffers are copied): often better than the last iterate.
class Ema {
 public:
  Ema(std::shared_ptr<ParamStore> store, double decay);
  void update();  // decay grows from 0 with the count, min(decay, (1 + n) / (10 + n)), so that early values fade
  const std::map<std::string, Tensor>& values() const { return values_; }
  std::int64_t count() const { return count_; }
  void restore(const std::map<std::string, Tensor>& values, std::int64_t count);

 private:
  std::shared_ptr<ParamStore> store_;
  double decay_;
  std::int64_t count_ = 0;
  std::map<std::string, Tensor> values_;
};

}  // namespace fovea
