#include "modules/train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <fstream>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/nn/training.hpp"
#include "modules/train/curve.hpp"

namespace fovea {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Swaps the averaged weights in while alive.
class Averaged {
 public:
  Averaged(ParamStore& params, const Ema* ema) : params_(params), ema_(ema) {
    if (!ema_) return;
    for (const auto& [name, value] : params_.values()) own_[name] = value.clone();
    params_.load(ema_->values());
  }
  ~Averaged() {
    if (ema_) params_.load(own_);
  }

 private:
  ParamStore& params_;
  const Ema* ema_;
  std::map<std::string, Tensor> own_;
};

void add_all(TensorFile& file, const std::string& prefix, const std::map<std::string, Tensor>& values) {
  for (const auto& [name, value] : values) file.tensors[prefix + name] = value;
}

std::map<std::string, Tensor> take_all(const TensorFile& file, const std::string& prefix) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, value] : file.tensors)
    if (name.rfind(prefix, 0) == 0) out[name.substr(prefix.size())] = value;
  return out;
}

// Takes what fits by name and shape; says in one line what it was.
std::string start_from(ParamStore& params, const std::string& weights) {
  const Model source = Model::load(weights);
  std::map<std::string, Tensor> fitting;
  std::string fresh;
  std::size_t missing = 0;
  const auto given = source.params()->values();
  for (const auto& mine : params.entries()) {
    const auto it = given.find(mine.name);
    if (it != given.end() && it->second.shape() == mine.value.shape()) fitting[mine.name] = it->second;
    else if (++missing <= 3) fresh += (fresh.empty() ? "" : ", ") + mine.name;
  }
  check(!fitting.empty(), "weights: nothing in '", weights, "' fits this network");
  params.load(fitting, false);
  std::string text = std::to_string(fitting.size()) + " tensors taken from " + weights;
  if (missing > 0) text += ", " + std::to_string(missing) + " start afresh (" + fresh + (missing > 3 ? ", ...)" : ")");
  return text;
}

}  // namespace

Trainer::Trainer(Model model, TrainOptions options, std::filesystem::path out)
    : model_(std::move(model)),
      options_(std::move(options)),
      out_(std::move(out)),
      optimizer_(model_.params(), options_.optimizer),
      precision_(parse_precision(options_.precision)),
      random_(options_.seed) {
  if (!options_.weights.empty()) taken_ = start_from(*model_.params(), options_.weights);
  for (const std::string& glob : options_.freeze) model_.params()->freeze(glob);
  check(!model_.params()->trainable().empty(), "train: everything is frozen, there is nothing to train");
  if (options_.ema > 0) ema_ = std::make_unique<Ema>(model_.params(), options_.ema);
  std::filesystem::create_directories(out_);
}

void Trainer::resume() {
  const TensorFile file = read_safetensors(out_ / "last.safetensors");
  const auto text = file.metadata.find("fovea.train"), recipe = file.metadata.find("fovea.recipe");
  check(text != file.metadata.end() && recipe != file.metadata.end(), out_.string(),
        ": last.safetensors is not a checkpoint of a training");
  const auto state = nlohmann::json::parse(text->second);
  check(recipe->second == model_.recipe(), out_.string(), ": the checkpoint was made by another recipe; use a new folder");
  model_.params()->load(take_all(file, "model."));
  optimizer_.restore(take_all(file, "optimizer."), state.at("optimizer_steps"));
  if (ema_) ema_->restore(take_all(file, "average."), state.at("average_count"));
  const auto& random = state.at("random");
  random_.restore({random.at(0), random.at(1), random.at(2)});
  step_ = state.at("step");
  best_ = state.at("best");
  without_better_ = state.value("without_better", 0);
  records_.clear();
  std::ifstream log(out_ / "log.jsonl");
  std::string whole;
  for (std::string line; std::getline(log, line) && records_.size() < state.at("records").get<std::size_t>();
       whole += line + "\n")
    records_.push_back(nlohmann::json::parse(line));
  log.close();
  write_file_atomically(out_ / "log.jsonl", whole.data(), whole.size());
}

void Trainer::save_checkpoint() const {
  TensorFile file;
  add_all(file, "model.", model_.params()->values());
  add_all(file, "optimizer.", optimizer_.state());
  if (ema_) add_all(file, "average.", ema_->values());
  file.metadata["fovea.recipe"] = model_.recipe();
  file.metadata["fovea.train"] = nlohmann::json{
      {"step", step_},
      {"best", best_},
      {"without_better", without_better_},
      {"random", {random_.state().seed, random_.state().stream, random_.state().drawn}},
      {"optimizer_steps", optimizer_.steps()},
      {"average_count", ema_ ? ema_->count() : 0},
      {"records", records_.size()}}.dump();
  write_safetensors(out_ / "last.safetensors", file);
}

void Trainer::log(const nlohmann::json& record) {
  records_.push_back(record);
  std::ofstream(out_ / "log.jsonl", std::ios::app) << record.dump() << "\n";
}

// The gradients of several batches add up to those of their mean.
double Trainer::add_gradients(const Batch& batch, const Loss& loss) {
  Precision precision(precision_);
  Training training(random_);
  const Var value = loss(model_, batch);
  value.backward(Tensor::full({}, 1.0 / options_.accumulate, value.dtype()));
  return value.value().item() / options_.accumulate;
}

double Trainer::step_once(Prefetcher& batches, const Loss& loss) {
  model_.params()->zero_grad();
  double result = 0;
  for (int i = 0; i < options_.accumulate; ++i) result += add_gradients(batches.next(), loss);
  const double norm = clip_gradients(*model_.params(), options_.clip);
  // Before the step: weights that are not finite must never reach a checkpoint.
  check(std::isfinite(result) && std::isfinite(norm), "train: the loss or its gradient is not finite at step ", step_,
        "; lower the learning rate or clip gradients");
  optimizer_.step(optimizer_.lr() * schedule(options_.schedule, step_));
  if (ema_) ema_->update();
  ++step_;
  return result;
}

bool Trainer::finished() const { return step_ >= options_.steps || out_of_patience(); }

void Trainer::validate(const Validate& validate, const std::function<void(const Progress&)>& report) {
  Averaged averaged(*model_.params(), ema_.get());
  const Validation v = validate(model_);
  nlohmann::json record{{"step", step_}, {"score", v.score}};
  if (v.details.is_object()) record.update(v.details);  // a training without validation sets has none
  log(record);
  without_better_ = v.score > best_ ? 0 : without_better_ + 1;
  if (v.score >= best_) {  // of equals the latest: without a validation set, the last weights
    best_ = v.score;
    model_.save(out_ / "best.safetensors", DType::f32,
                {{"fovea.step", std::to_string(step_)}, {"fovea.score", std::to_string(best_)}});
  }
  const std::string svg = training_curve(records_);
  write_file_atomically(out_ / "curve.svg", svg.data(), svg.size());
  report({.step = step_, .steps = options_.steps, .validation = &v});
}

bool Trainer::run(const BatchSource& source, const Loss& loss, const Validate& validate_model,
                  const std::function<void(const Progress&)>& report, const std::atomic<bool>& stop) {
  ThreadScope thread_scope(options_.threads > 0 ? options_.threads : cpu_budget());
  Prefetcher batches(source, step_ * options_.accumulate, options_.loaders);
  double sum = 0, waited = 0;
  std::int64_t counted = 0;
  auto start = Clock::now();
  while (!finished() && !stop) {
    sum += step_once(batches, loss);
    ++counted;
    if (step_ % options_.log_every == 0 || step_ == options_.steps) {
      const double rate = static_cast<double>(counted) / seconds_since(start),
                   lr = optimizer_.lr() * schedule(options_.schedule, step_ - 1);
      log({{"step", step_},
           {"loss", sum / static_cast<double>(counted)},
           {"lr", lr},
           {"steps_per_second", rate},
           {"waited_for_data_s", batches.waited() - waited}});
      report({step_, options_.steps, sum / static_cast<double>(counted), lr, rate, nullptr});
      sum = 0, counted = 0, waited = batches.waited(), start = Clock::now();
    }
    if (step_ % options_.validate_every == 0 || step_ == options_.steps) {
      validate(validate_model, report);
      start = Clock::now();
    }
    if (step_ % options_.checkpoint_every == 0 || finished()) save_checkpoint();
  }
  if (!finished()) save_checkpoint();
  return finished();
}

}  // namespace fovea
