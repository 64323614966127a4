#include "modules/train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <fstream>

#include <fmt/format.h>

#include "modules/autograd/apply.hpp"
#include "modules/core/json.hpp"
#include "modules/core/not_finite.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/nn/training.hpp"
#include "modules/train/curve.hpp"
#include "modules/train/recipe_changes.hpp"

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
std::string start_from(ParamStore& params, const Model& source, const std::string& weights) {
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

bool all_finite(const std::map<std::string, Tensor>& values) {
  for (const auto& [name, value] : values)
    for (const double v : value.values())
      if (!std::isfinite(v)) return false;
  return true;
}

// What another number of steps does to a training that is at `step`.
std::string longer(const ScheduleOptions& then, const ScheduleOptions& now, double lr, std::int64_t step) {
  const std::string text = fmt::format("the training ends at step {} instead of {}", now.steps, then.steps);
  if (now.type != "cosine")
    return text + "; its learning rates do not depend on that: the same as so many steps from the beginning";
  return text + fmt::format(
                    "; the cosine of its learning rate now spans all of them: the rate at step {} is {:.3g} instead of {:.3g}, "
                    "and the result is not that of {} steps from the beginning",
                    step, lr * schedule(now, step), lr * schedule(then, step), now.steps);
}

}  // namespace

struct Trainer::Running {
  double loss = 0, seconds = 0;  // of the steps alone: neither validations nor checkpoints
  std::int64_t steps = 0, batches = 0;
  std::map<std::string, double> numbers;
};

Trainer::Trainer(Model model, TrainOptions options, std::filesystem::path out, std::string data)
    : model_(std::move(model)),
      options_(std::move(options)),
      out_(std::move(out)),
      data_(std::move(data)),
      license_(license_of(model_)),
      optimizer_(model_.params(), options_.optimizer),
      precision_(parse_precision(options_.precision)),
      random_(options_.seed) {
  if (!options_.weights.empty()) {
    const Model source = Model::load(options_.weights);
    taken_ = start_from(*model_.params(), source, options_.weights);
    learns_from(license_of(source));
  }
  for (const std::string& glob : options_.freeze) model_.params()->freeze(glob);
  check(!model_.params()->trainable().empty(), "train: everything is frozen, there is nothing to train");
  if (options_.ema > 0) ema_ = std::make_unique<Ema>(model_.params(), options_.ema);
  std::filesystem::create_directories(out_);
}

std::vector<std::string> Trainer::accept_changes(const std::string& recipe, std::int64_t steps_then) const {
  std::string others;
  std::vector<std::string> notes;
  for (const RecipeChange& change : recipe_changes(recipe, model_.recipe())) {
    if (changes_no_result(change.key) || changes_the_end(change.key)) continue;
    others += (others.empty() ? "" : "; ") + change.str();
  }
  check(others.empty(), out_.string(), ": the checkpoint was made by another recipe: ", others,
        ". Use a new folder, or start afresh in this one");
  check(options_.steps >= step_, out_.string(), ": the checkpoint is at step ", step_, " already, and this recipe ends at step ",
        options_.steps);
  if (options_.steps == steps_then) return notes;
  ScheduleOptions then = options_.schedule, now = options_.schedule;
  then.steps = steps_then, now.steps = options_.steps;
  notes.push_back(longer(then, now, optimizer_.lr(), step_));
  if (const Yaml mine = Yaml::parse(model_.recipe(), "recipe"); mine.has("train") && mine.at("train").has("sizes"))
    notes.push_back("the `sizes` of pictures share all the steps: they change at other steps than before");
  return notes;
}

// The log as it was at the checkpoint; what a killed run wrote behind it is cut off.
void Trainer::read_log(std::size_t records) {
  records_.clear();
  std::ifstream log(out_ / "log.jsonl");
  std::string whole;
  for (std::string line; records_.size() < records && std::getline(log, line); whole += line + "\n") {
    const std::string where = (out_ / "log.jsonl").string() + ":" + std::to_string(records_.size() + 1);
    records_.push_back(parse_json(line, where));
    check(records_.back().is_object(), where, ": a damaged line");
  }
  log.close();
  write_file_atomically(out_ / "log.jsonl", whole.data(), whole.size());
}

std::vector<std::string> Trainer::resume() {
  const TensorFile file = read_safetensors(out_ / "last.safetensors");
  const auto text = file.metadata.find("fovea.train"), recipe = file.metadata.find("fovea.recipe");
  check(text != file.metadata.end() && recipe != file.metadata.end(), out_.string(),
        ": last.safetensors is not a checkpoint of a training");
  const JsonValue state = JsonValue::parse(text->second, (out_ / "last.safetensors").string() + ": fovea.train");
  const auto whole = [&](const char* key, std::int64_t otherwise) {
    return state.has(key) ? state.at(key).whole<std::int64_t>() : otherwise;
  };
  step_ = state.at("step").whole<std::int64_t>();
  std::vector<std::string> notes = accept_changes(recipe->second, whole("steps", options_.steps));
  const std::string data = state.has("data") ? state.at("data").text() : "";
  check(data.empty() || data_.empty() || data == data_, out_.string(), ": the checkpoint was made with other data");
  model_.params()->load(take_all(file, "model."));
  optimizer_.restore(take_all(file, "optimizer."), state.at("optimizer_steps").whole<std::int64_t>());
  if (ema_) ema_->restore(take_all(file, "average."), state.at("average_count").whole<std::int64_t>());
  const JsonValue random = state.at("random");
  const std::vector<JsonValue> numbers = random.items();
  if (numbers.size() != 3) random.wrong("seed, stream and draws");
  random_.restore({numbers[0].whole<std::uint64_t>(), numbers[1].whole<std::uint64_t>(), numbers[2].whole<std::uint64_t>()});
  saved_ = step_;
  if (state.at("best").is_number()) best_ = state.at("best").number();
  without_better_ = static_cast<int>(whole("without_better", 0));
  read_log(state.at("records").whole<std::size_t>());
  return notes;
}

void Trainer::diverged(const std::string& what) const {
  const double lr = rate_at(std::min(step_, options_.steps - 1));
  std::string text =
      fmt::format("train: {} at step {}, at a learning rate of {:.3g}: the training has diverged. ", what, step_, lr);
  if (saved_ >= 0)
    text += fmt::format("The last good checkpoint, of step {}, is {}", saved_, (out_ / "last.safetensors").string());
  else text += "There is no checkpoint yet";
  if (std::filesystem::exists(out_ / "best.safetensors"))
    text += fmt::format("; the best weights so far are in {}", (out_ / "best.safetensors").string());
  text += fmt::format(". Try a lower learning rate (optimizer.lr: {:.3g})", optimizer_.lr() / 10);
  if (options_.clip == 0) text += ", a limit on gradients (clip: 1)";
  if (options_.schedule.warmup == 0)
    text += fmt::format(", a warm-up (schedule.warmup: {})", std::max<std::int64_t>(10, options_.steps / 20));
  if (precision_ != DType::f32) text += ", precision: f32";
  fail(text, "; afresh, or from good weights in a new folder (weights: FILE)");
}

void Trainer::save_checkpoint() {
  TensorFile file;
  add_all(file, "model.", model_.params()->values());
  if (ema_) add_all(file, "average.", ema_->values());
  if (!all_finite(file.tensors)) diverged("a weight is not finite");
  add_all(file, "optimizer.", optimizer_.state());
  file.metadata["fovea.recipe"] = model_.recipe();
  file.metadata["fovea.train"] = nlohmann::json{
      {"step", step_},
      {"steps", options_.steps},
      {"data", data_},
      {"best", best_},
      {"without_better", without_better_},
      {"random", {random_.state().seed, random_.state().stream, random_.state().drawn}},
      {"optimizer_steps", optimizer_.steps()},
      {"average_count", ema_ ? ema_->count() : 0},
      {"records", records_.size()}}.dump();
  write_safetensors(out_ / "last.safetensors", file);
  saved_ = step_;
}

void Trainer::log(const nlohmann::json& record) {
  records_.push_back(record);
  std::ofstream(out_ / "log.jsonl", std::ios::app) << record.dump() << "\n";
}

// The gradients of several batches add up to those of their mean.
double Trainer::add_gradients(const Batch& batch, const Loss& loss, Running& sums) {
  Precision precision(precision_);
  Training training(random_);
  const Outcome outcome = loss(model_, batch);
  outcome.loss.backward(Tensor::full({}, 1.0 / options_.accumulate, outcome.loss.dtype()));
  for (const auto& [name, value] : outcome.numbers) sums.numbers[name] += value;
  ++sums.batches;
  return outcome.loss.value().item() / options_.accumulate;
}

void Trainer::step_once(Prefetcher& batches, const Loss& loss, Running& sums) {
  const auto start = Clock::now();
  model_.params()->zero_grad();
  double result = 0;
  for (int i = 0; i < options_.accumulate; ++i) result += add_gradients(batches.next(), loss, sums);
  const double norm = clip_gradients(*model_.params(), options_.clip);
  // Before the step: weights that are not finite must never reach a checkpoint.
  if (!std::isfinite(result) || !std::isfinite(norm)) diverged("the loss or its gradient is not finite");
  optimizer_.step(rate_at(step_));
  if (ema_) ema_->update();
  ++step_;
  sums.loss += result;
  ++sums.steps;
  sums.seconds += seconds_since(start);
}

void Trainer::report_step(Running& sums, double waited, const std::function<void(const Progress&)>& report) {
  const double steps = static_cast<double>(sums.steps), rate = steps / std::max(sums.seconds, 1e-9), lr = rate_at(step_ - 1);
  for (auto& [name, value] : sums.numbers) value /= static_cast<double>(sums.batches);
  nlohmann::json record{
      {"step", step_}, {"loss", sums.loss / steps}, {"lr", lr}, {"steps_per_second", rate}, {"waited_for_data_s", waited}};
  for (const auto& [name, value] : sums.numbers) record[name] = value;
  log(record);
  report({step_, options_.steps, sums.loss / steps, lr, rate, nullptr, sums.numbers});
  sums = {};
}

bool Trainer::finished() const { return step_ >= options_.steps || out_of_patience(); }

void Trainer::validate(const Validate& validate, const std::function<void(const Progress&)>& report) {
  Averaged averaged(*model_.params(), ema_.get());
  Validation v;
  try {
    v = validate(model_);
  } catch (const NotFinite&) { diverged("what the model says of the validation data is not finite"); }
  if (!std::isfinite(v.score)) diverged("the validation's score is not finite");
  nlohmann::json record{{"step", step_}, {"score", v.score}};
  if (v.details.is_object()) record.update(v.details);  // a training without validation sets has none
  log(record);
  without_better_ = v.score > best_ ? 0 : without_better_ + 1;
  if (v.score >= best_) {  // of equals the latest: without a validation set, the last weights
    best_ = v.score;
    std::map<std::string, std::string> metadata = license_metadata(license_);
    metadata["fovea.step"] = std::to_string(step_), metadata["fovea.score"] = std::to_string(best_);
    model_.save(out_ / "best.safetensors", DType::f32, metadata);
  }
  const std::string svg = training_curve(records_);
  write_file_atomically(out_ / "curve.svg", svg.data(), svg.size());
  report({.step = step_, .steps = options_.steps, .validation = &v});
}

bool Trainer::run(const BatchSource& source, const Loss& loss, const Validate& validate_model,
                  const std::function<void(const Progress&)>& report, const std::atomic<bool>& stop) {
  for (const char* name : {"last.safetensors", "best.safetensors", "log.jsonl"})
    check(saved_ >= 0 || !std::filesystem::exists(out_ / name), out_.string(), ": holds the ", name,
          " of another training; resume that one, or use a new folder");
  ThreadScope thread_scope(options_.threads > 0 ? options_.threads : cpu_budget());
  Prefetcher batches(source, step_ * options_.accumulate, options_.loaders);
  Running sums;
  double waited = 0;
  while (!finished() && !stop) {
    step_once(batches, loss, sums);
    if (step_ % options_.log_every == 0 || step_ == options_.steps) {
      report_step(sums, batches.waited() - waited, report);
      waited = batches.waited();
    }
    const bool validates = step_ % options_.validate_every == 0 || step_ == options_.steps;
    if (validates) validate(validate_model, report);
    if (validates || step_ % options_.checkpoint_every == 0 || finished()) save_checkpoint();
  }
  if (!finished()) save_checkpoint();
  return finished();
}

}  // namespace fovea
