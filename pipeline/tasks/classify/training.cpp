#include "pipeline/tasks/classify/training.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/labelled.hpp"
#include "datasets/progressive_resizing.hpp"
#include "modules/nn/losses.hpp"
#include "pipeline/class_measure.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// What a recipe's `train:` says about classification, beside lists and mappings.
struct Keys {
  double validate_share = 0.1, epochs = 0, label_smoothing = 0;
  int batch = 32, memory_mb = 2048, shorter_side = 0;
  bool balance = false;
  std::string score = "top1";
  std::vector<int> sizes;
};

Keys read_keys(Args& a) {
  Keys k;
  a.elsewhere("data", "folders with a folder of pictures for each class, or .csv tables of path and label; required");
  a.elsewhere("validate", "likewise; without it a share of each class is held out");
  k.validate_share = a.get("validate_share", k.validate_share, "of each class, where no data to validate with are given");
  k.batch = a.get("batch", k.batch, "pictures a step");
  k.epochs =
      a.get("epochs", k.epochs, "how often every picture is seen, instead of steps; each is then validated; 0: count steps");
  k.sizes = a.list("sizes", k.sizes, "sides of the training's pictures, each for an equal part of it; none: the network's own");
  a.elsewhere("augment", "random changes of the pictures; crop and mirror image also without it: see train.augment");
  k.balance = a.get("balance", k.balance, "draw every class as often, however many pictures it has");
  k.label_smoothing = a.get("label_smoothing", k.label_smoothing, "share of the label that is spread over all classes");
  a.elsewhere("class_weights", "of the loss: balanced, or a weight for each class's name");
  k.score = a.get("score", k.score.c_str(), "what makes a model the best: top1, macro_f1 or balanced_accuracy");
  k.memory_mb = a.get("memory_mb", k.memory_mb, "for decoded pictures; those beyond it are decoded each time");
  k.shorter_side = a.get("shorter_side", k.shorter_side, "pictures are shrunk to this when loaded; 0: not");
  return k;
}

void check_keys(const Keys& k, const std::string& where) {
  check(k.score == "top1" || k.score == "macro_f1" || k.score == "balanced_accuracy", where,
        ": score: expected top1, macro_f1 or balanced_accuracy, got '", k.score, "'");
  check(k.memory_mb >= 0, where, ": memory_mb: expected a number from 0, got ", k.memory_mb);
  check(k.validate_share >= 0 && k.validate_share < 1, where, ": validate_share: expected a number in [0, 1), got ",
        k.validate_share);
  check(k.batch > 0, where, ": batch: expected at least 1, got ", k.batch);
  check(k.label_smoothing >= 0 && k.label_smoothing < 1, where, ": label_smoothing: expected a number in [0, 1), got ",
        k.label_smoothing);
}

// A share of a single picture is nothing: its class would never be validated, and nobody would know.
void check_divisible(const LabelledData& data, const std::string& where) {
  const auto counts = class_counts(data.samples, data.classes.size());
  for (std::size_t c = 0; c < counts.size(); ++c)
    check(counts[c] > 1, where, ": the class '", data.classes[c],
          "' has a single image, and a share of each class is held out to validate with; add images, give 'validate', or set "
          "validate_share: 0");
}

struct Data {
  Split split;
  std::vector<std::string> classes;
  std::vector<BadFile> left_out, validation_left_out;
};

Data read_data(const Yaml& train, const fs::path& root, const std::vector<std::string>& classes, double share,
               std::uint64_t seed) {
  const LabelledData data = read_labelled(data_paths(train.at("data"), root), classes);
  Data out{{data.samples, {}}, data.classes, data.left_out, {}};
  if (train.has("validate")) {
    check(!train.has("validate_share"), train.where(), ": there are data under 'validate' already");
    const LabelledData validation = read_labelled(data_paths(train.at("validate"), root), data.classes);
    out.split.validation = validation.samples;
    out.validation_left_out = validation.left_out;
  } else {
    if (share > 0) check_divisible(data, train.at("data").where());
    out.split = split(data.samples, share, seed);
  }
  return out;
}

// Per class: "balanced" is images / (classes * images of the class); a mapping gives them by name, 1 where it says nothing.
Tensor class_weights(const Yaml& train, const std::vector<std::string>& classes, const std::vector<std::int64_t>& counts) {
  if (!train.has("class_weights")) return {};
  const Yaml& given = train.at("class_weights");
  std::vector<float> weights(classes.size(), 1);
  if (given.keys().empty()) {
    check(given.scalar() == "balanced", given.where(),
          ": class_weights: expected 'balanced' or a weight for each class's name, got '", given.scalar(), "'");
    double total = 0;
    for (const std::int64_t n : counts) total += static_cast<double>(n);
    for (std::size_t c = 0; c < weights.size(); ++c)
      weights[c] = static_cast<float>(total / (static_cast<double>(classes.size()) * static_cast<double>(counts[c])));
    return Tensor::from(weights, {static_cast<std::int64_t>(weights.size())});
  }
  given.only(classes);
  Args a = given.args();
  for (std::size_t c = 0; c < weights.size(); ++c) {
    weights[c] = static_cast<float>(a.get(classes[c], 1.0, "weight in the loss"));
    check(weights[c] >= 0, given.where(), ": class_weights: ", classes[c], ": expected a weight from 0");
  }
  return Tensor::from(weights, {static_cast<std::int64_t>(weights.size())});
}

TrainJob::Loss loss_of(const CrossEntropyOptions& options) {
  return [options](const NamedVars& outputs, const Batch& batch) {
    const Var &logits = outputs.at("logits"), target(batch.targets.at("class"));
    return target.dtype() == DType::s64 ? cross_entropy(logits, target, options) : soft_cross_entropy(logits, target, options);
  };
}

// Share of the batch whose most probable class is its label; of mixed labels the share of them that this class has.
std::map<std::string, double> accuracy_of(const NamedVars& outputs, const Batch& batch) {
  const Tensor logits = outputs.at("logits").value().to(DType::f32).contiguous(Layout::row_major),
               target = batch.targets.at("class");
  const std::int64_t n = logits.dim(0), classes = logits.dim(1);
  double right = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = logits.data<float>() + i * classes;
    const std::int64_t best = std::max_element(row, row + classes) - row;
    if (target.dtype() == DType::s64) right += target.data<std::int64_t>()[i] == best;
    else right += static_cast<double>(target.data<float>()[i * classes + best]);
  }
  return {{"accuracy", right / static_cast<double>(n)}};
}

Trainer::Validate validation_of(const std::shared_ptr<Photos>& photos, int batch, const std::string& score) {
  return [photos, batch, score](const Model& model) {
    if (photos->size() == 0) return Validation{};
    const ClassificationMetrics m =
        measure(model, *photos, batch, DType::f32);  // always in f32: scores of different runs compare
    Validation v{score == "macro_f1" ? m.macro_f1() : score == "balanced_accuracy" ? m.balanced_accuracy() : m.top1(), {}};
    v.details = {{"top1", m.top1()},
                 {"macro_f1", m.macro_f1()},
                 {"calibration_error", m.calibration_error()},
                 {"val_loss", m.mean_loss()}};
    if (m.classes().size() > 5) v.details["top5"] = m.top5();
    return v;
  };
}

// Says which class has nothing to learn from; a class of the model that is empty would never be said.
void check_classes(const Photos& photos, const std::vector<std::string>& classes, const std::string& where) {
  const auto counts = class_counts(photos.samples(), classes.size());
  for (std::size_t c = 0; c < counts.size(); ++c)
    check(counts[c] > 0, where, ": the class '", classes[c], "' has no picture to train with",
          photos.bad().empty() ? ""
                               : "; " + std::to_string(photos.bad().size()) +
                                     " pictures could not be read, the first: " + photos.bad().front().reason);
}

}  // namespace

void name_classes(Yaml& recipe, const fs::path& root) {
  const Yaml &head = recipe.at("model").at("head"), &train = recipe.at("train");
  if (head.has("classes") && !head.at("classes").items().empty()) return;
  const LabelledData data = read_labelled(data_paths(train.at("data"), root));
  if (head.has("classes"))
    check(head.at("classes").scalar() == std::to_string(data.classes.size()), head.at("classes").where(), ": ",
          head.at("classes").scalar(), " classes are wanted, the data have ", data.classes.size());
  set_classes(recipe, data.classes, train.at("data"));
}

std::vector<KeyGroup> classify_keys() {
  return {keys_read("train", [](Args& a) { read_keys(a); }), keys_read("train.augment", [](Args& a) { read_augment(a); })};
}

std::vector<TrainingFile> classify_files(const Yaml& recipe, const fs::path& root) {
  std::vector<TrainingFile> files;
  for (const char* key : {"data", "validate"}) {
    if (!recipe.at("train").has(key)) continue;
    const LabelledData data = read_labelled(data_paths(recipe.at("train").at(key), root));
    for (const Sample& s : data.samples) files.push_back({s.file, data.classes.at(static_cast<std::size_t>(s.label))});
  }
  return files;
}

TrainJob classify_training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, names_of(classify_keys()));
  check(!train.has("loss") || options.loss == "cross_entropy", train.where(), ": loss: expected cross_entropy, got '",
        options.loss, "'");
  Args a = train.args();
  const Keys keys = read_keys(a);
  check_keys(keys, train.where());
  const PhotoOptions loading{static_cast<std::size_t>(keys.memory_mb) << 20, keys.shorter_side};
  const Data data = read_data(train, root, model.classes(), keys.validate_share, options.seed);
  const Photos training(data.split.training, loading);
  const auto validating = std::make_shared<Photos>(data.split.validation, loading);
  check_classes(training, data.classes, train.at("data").where());

  PhotoSource::Options photos;
  photos.preprocess = model.preprocess();
  if (train.has("augment")) photos.augment = read_augment(train.at("augment"));
  photos.batch = keys.batch;
  photos.balance = keys.balance;
  photos.classes = static_cast<std::int64_t>(data.classes.size());
  photos.seed = options.seed;
  const double each = static_cast<double>(training.size()) / (static_cast<double>(photos.batch) * options.accumulate);
  count_epochs(train, keys.epochs, each, options);
  if (train.has("epochs") && !train.has("validate_every")) options.validate_every = std::max<std::int64_t>(1, std::llround(each));
  check(options.patience == 0 || validating->size() > 0, train.where(), ": patience needs pictures to validate with");

  TrainJob job;
  job.loss =
      loss_of({.label_smoothing = keys.label_smoothing,
               .class_weights = class_weights(train, data.classes, class_counts(training.samples(), data.classes.size()))});
  job.numbers = accuracy_of;
  job.validate = validation_of(validating, photos.batch, keys.score);
  report_bad(joined(data.left_out, training.bad()), "training", job);
  report_bad(joined(data.validation_left_out, validating->bad()), "validation", job);
  job.files["validation.csv"] = samples_table(validating->samples(), data.classes);
  job.summary = fmt::format("{:.0f} M multiply-adds; {} classes; {} pictures to train with, {} to validate; {} steps",
                            static_cast<double>(model.multiply_adds(
                                {1, photos.preprocess.channels, photos.preprocess.height, photos.preprocess.width})) /
                                1e6,
                            data.classes.size(), training.size(), validating->size(), options.steps);
  job.source = std::make_unique<ProgressiveResizing>(training, photos, keys.sizes, options.steps * options.accumulate);
  return job;
}

}  // namespace fovea
