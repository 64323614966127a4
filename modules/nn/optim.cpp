#include "modules/nn/optim.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/autograd/tap.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kGrain = 16384;

struct AdamStep {
  float lr, beta1, beta2, rest1, rest2;  // rest = 1 - beta, from the double: 1 - 0.999f is off by 1e-5
  float epsilon, correction1, correction2, decay, decoupled;
};

FOVEA_SIMD void adam_row(float* w, const float* g, float* m, float* v, std::int64_t n, const AdamStep& s) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float grad = g[i] + s.decay * w[i];
    m[i] = s.beta1 * m[i] + s.rest1 * grad;
    v[i] = s.beta2 * v[i] + s.rest2 * grad * grad;
    const float update = m[i] * s.correction1 / (std::sqrt(v[i] * s.correction2) + s.epsilon);
    w[i] = w[i] * (1.0f - s.lr * s.decoupled) - s.lr * update;
  }
}

struct SgdStep {
  float lr, momentum, decay;
  bool nesterov, first;
};

FOVEA_SIMD void sgd_row(float* w, const float* g, float* m, std::int64_t n, const SgdStep& s) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float grad = g[i] + s.decay * w[i];
    m[i] = s.first ? grad : s.momentum * m[i] + grad;  // PyTorch starts the buffer with the gradient itself
    w[i] -= s.lr * (s.nesterov ? grad + s.momentum * m[i] : m[i]);
  }
}

FOVEA_SIMD void average_row(float* average, const float* w, std::int64_t n, float keep) {
  for (std::int64_t i = 0; i < n; ++i) average[i] = keep * average[i] + (1.0f - keep) * w[i];
}

FOVEA_SIMD void scale_row(float* g, std::int64_t n, float factor) {
  for (std::int64_t i = 0; i < n; ++i) g[i] *= factor;
}

double squared_norm(const Tensor& t) {
  double total = 0;
  const float* p = t.data<float>();
  for (std::int64_t i = 0, n = t.size(); i < n; ++i) total += static_cast<double>(p[i]) * static_cast<double>(p[i]);
  return total;
}

}  // namespace

Optimizer::Optimizer(std::shared_ptr<ParamStore> store, const OptimizerOptions& options)
    : store_(std::move(store)), options_(options) {
  check(options.type == "sgd" || options.type == "adam" || options.type == "adamw",
        "optimizer: expected sgd, adam or adamw, got '", options.type, "'");
  const auto fraction = [](double v) { return v >= 0 && v < 1; };
  check(fraction(options.momentum) && fraction(options.beta1) && fraction(options.beta2) && options.epsilon >= 0,
        "optimizer: expected momentum, beta1 and beta2 in [0, 1) and epsilon >= 0");
  make_rules();
}

const Optimizer::Rule& Optimizer::rule(const std::string& name) const {
  const auto it = rules_.find(name);
  check(it != rules_.end(), "optimizer: ", name, " was not there when the optimizer was made");
  return it->second;
}

void Optimizer::make_rules() {
  check(options_.layer_decay > 0 && options_.layer_decay <= 1, "optimizer: expected layer_decay in (0, 1], got ",
        options_.layer_decay);
  const auto& entries = store_->entries();
  const auto matching = [&](const std::string& glob, const auto& act) {
    bool any = false;
    for (const auto& e : entries)
      if (!e.buffer && glob_match(glob, e.name)) any = true, act(rules_[e.name]);
    check(any, "optimizer: '", glob, "' matches no parameter; the first are ", entries.empty() ? "none" : entries.front().name);
  };
  for (const auto& e : entries) rules_[e.name] = {1, options_.decay_vectors || e.value.shape().rank() > 1};
  for (const std::string& glob : options_.no_decay) matching(glob, [](Rule& r) { r.decays = false; });
  for (const auto& [glob, factor] : options_.lr_scale) {
    check(factor >= 0, "optimizer: lr_scale: expected factors from 0, got ", factor, " for '", glob, "'");
    matching(glob, [f = factor](Rule& r) { r.lr = f; });
  }
  if (options_.layer_decay == 1) return;
  const auto layers = layers_of(*store_);
  const int last = layers.empty() ? 0 : *std::max_element(layers.begin(), layers.end());
  for (std::size_t i = 0; i < entries.size(); ++i) rules_[entries[i].name].lr *= std::pow(options_.layer_decay, last - layers[i]);
}

Tensor& Optimizer::slot(const std::string& name, const Var& parameter) {
  Tensor& t = state_[name];
  if (!t.defined()) t = Tensor::zeros(parameter.shape());
  return t;
}

void Optimizer::sgd(const ParamStore::Entry& e, double lr) {
  Tensor w = e.value.value();
  const Tensor grad = e.value.grad().to(DType::f32).contiguous(Layout::row_major);
  const bool first = state_.find(e.name + ".momentum") == state_.end();
  const float* g = grad.data<float>();
  float* m = slot(e.name + ".momentum", e.value).data<float>();
  const double decay = decays(e.name) ? options_.weight_decay : 0;
  const SgdStep s{static_cast<float>(lr), static_cast<float>(options_.momentum), static_cast<float>(decay), options_.nesterov,
                  first};
  parallel_for(w.size(), kGrain,
               [&](std::int64_t b, std::int64_t end) { sgd_row(w.data<float>() + b, g + b, m + b, end - b, s); });
}

void Optimizer::adam(const ParamStore::Entry& e, double lr) {
  Tensor w = e.value.value();
  const Tensor grad = e.value.grad().to(DType::f32).contiguous(Layout::row_major);
  const float* g = grad.data<float>();
  float *m = slot(e.name + ".m", e.value).data<float>(), *v = slot(e.name + ".v", e.value).data<float>();
  const bool decoupled = options_.type == "adamw";
  const double decay = decays(e.name) ? options_.weight_decay : 0, n = static_cast<double>(steps_);
  const AdamStep s{static_cast<float>(lr),
                   static_cast<float>(options_.beta1),
                   static_cast<float>(options_.beta2),
                   static_cast<float>(1 - options_.beta1),
                   static_cast<float>(1 - options_.beta2),
                   static_cast<float>(options_.epsilon),
                   static_cast<float>(1 / (1 - std::pow(options_.beta1, n))),
                   static_cast<float>(1 / (1 - std::pow(options_.beta2, n))),
                   decoupled ? 0.0f : static_cast<float>(decay),
                   decoupled ? static_cast<float>(decay) : 0.0f};
  parallel_for(w.size(), kGrain,
               [&](std::int64_t b, std::int64_t end) { adam_row(w.data<float>() + b, g + b, m + b, v + b, end - b, s); });
}

void Optimizer::step(double lr) {
  ++steps_;
  for (const ParamStore::Entry& e : store_->entries()) {
    if (!e.value.requires_grad() || !e.value.grad().defined()) continue;
    options_.type == "sgd" ? sgd(e, lr * lr_factor(e.name)) : adam(e, lr * lr_factor(e.name));
    Tensor(e.value.value()).touch();
  }
}

std::map<std::string, Tensor> Optimizer::state() const { return state_; }

void Optimizer::restore(const std::map<std::string, Tensor>& state, std::int64_t steps) {
  for (const auto& [name, value] : state) {
    const auto* parameter = store_->find(name.substr(0, name.rfind('.')));
    check(parameter && parameter->value.shape() == value.shape() && value.dtype() == DType::f32, "optimizer: ", name,
          ": no such state, or not of its parameter's shape in f32");
  }
  state_.clear();
  for (const auto& [name, value] : state) state_[name] = value.contiguous(Layout::row_major).clone();
  steps_ = steps;
}

double clip_gradients(ParamStore& store, double limit) {
  double total = 0;
  for (const auto& e : store.entries())
    if (e.value.grad().defined()) total += squared_norm(e.value.grad().to(DType::f32).contiguous(Layout::row_major));
  const double norm = std::sqrt(total);
  if (limit <= 0 || norm <= limit) return norm;
  for (const auto& e : store.entries()) {
    if (!e.value.grad().defined()) continue;
    Tensor g = e.value.grad();
    check(g.dtype() == DType::f32 && g.is_dense(), e.name, ": expected a dense f32 gradient");
    scale_row(g.data<float>(), g.size(), static_cast<float>(limit / (norm + 1e-6)));
  }
  return norm;
}

double schedule(const ScheduleOptions& o, std::int64_t step) {
  const double warm = step < o.warmup ? static_cast<double>(step + 1) / static_cast<double>(o.warmup) : 1.0;
  if (o.type == "constant") return warm;
  if (o.type == "step") {
    check(o.every > 0, "schedule: 'step' needs a positive interval `every`");
    return warm * std::pow(o.gamma, static_cast<double>(step / o.every));
  }
  check(o.type == "cosine", "schedule: expected constant, cosine or step, got '", o.type, "'");
  const double span = static_cast<double>(std::max<std::int64_t>(1, o.steps - o.warmup));
  const double t = std::clamp(static_cast<double>(step - o.warmup) / span, 0.0, 1.0);
  return warm * (o.floor + (1 - o.floor) * 0.5 * (1 + std::cos(std::numbers::pi * t)));
}

Ema::Ema(std::shared_ptr<ParamStore> store, double decay) : store_(std::move(store)), decay_(decay) {
  check(decay >= 0 && decay < 1, "ema: expected a decay in [0, 1), got ", decay);
  for (const auto& e : store_->entries()) values_[e.name] = e.value.value().clone();
}

void Ema::update() {
  const double n = static_cast<double>(count_++);
  const auto keep = static_cast<float>(std::min(decay_, (1 + n) / (10 + n)));
  for (const auto& e : store_->entries()) {
    Tensor& average = values_[e.name];
    if (e.buffer) average.copy_from(e.value.value());
    else average_row(average.data<float>(), e.value.value().data<float>(), average.size(), keep);
  }
}

void Ema::restore(const std::map<std::string, Tensor>& values, std::int64_t count) {
  for (auto& [name, value] : values_) {
    const auto it = values.find(name);
    check(it != values.end(), "ema: no value for ", name);
    value.copy_from(it->second);
  }
  count_ = count;
}

}  // namespace fovea
