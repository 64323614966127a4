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
  double weight_decay = 0;    // sgd, adam: added to the gradient; adamw: decoupled (Loshchilov and Hutter 2019, arXiv:1711.05101)
  bool decay_vectors = true;  // false: parameters of rank 0 and 1 (biases, norms, gains) do not decay
  std::vector<std::string> no_decay{};  // globs of further parameters that do not
  // Learning rates of parts of the network: globs and factors, the last one that matches a parameter counts; `layer_decay` multiplies
  // it by itself once a layer from the output to the input (Clark et al. 2020, arXiv:2003.10555); see layer_of().
  std::vector<std::pair<std::string, double>> lr_scale{};
  double layer_decay = 1;
};

// The number of the layer that each parameter belongs to, in order of declaration. A layer is what shares a path up to its first number
// ("backbone.layer1.0", "features.3"; "stages.1.blocks.0" up to the second). What comes before the first is layer 0, what has no number
// joins the layer in front of it, and all of a head comes last.
std::vector<int> layers_of(const ParamStore& store);

class Optimizer {
 public:
  // Updates what is trainable in the store at each step(); parameters without a gradient are left alone. Error when a glob of the options
  // matches no parameter.
  Optimizer(std::shared_ptr<ParamStore> store, const OptimizerOptions& options);

  void step(double lr);
  double lr() const { return options_.lr; }                                  // the base rate, which schedules scale
  double lr_factor(const std::string& name) const { return rule(name).lr; }  // of one parameter
  bool decays(const std::string& name) const { return rule(name).decays; }

  // "NAME.momentum" or "NAME.m", "NAME.v".
  std::map<std::string, Tensor> state() const;
  std::int64_t steps() const { return steps_; }
  void restore(const std::map<std::string, Tensor>& state, std::int64_t steps);

 private:
  struct Rule {
    double lr = 1;
    bool decays = true;
  };
  Tensor& slot(const std::string& name, const Var& parameter);
  const Rule& rule(const std::string& name) const;  // Error for what was declared later
  void make_rules();
  void sgd(const ParamStore::Entry& e, double lr);
  void adam(const ParamStore::Entry& e, double lr);

  std::shared_ptr<ParamStore> store_;
  OptimizerOptions options_;
  std::map<std::string, Rule> rules_;
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
