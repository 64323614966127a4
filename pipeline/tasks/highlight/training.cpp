#include "pipeline/tasks/highlight/training.hpp"

#include <fmt/format.h>

#include "datasets/csv.hpp"
#include "datasets/regions/source.hpp"
#include "pipeline/tasks/highlight/loss.hpp"
#include "pipeline/tasks/highlight/measure.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

struct Keys {
  int crop = 0, batch = 8;
  double balance = 0;
  std::string score;
};

Keys read_keys(Args& a) {
  a.elsewhere("data",
              "a folder with images and masks/<class> or objects/<class>, or {images: PATTERN, masks: {class: PATTERN}, objects: "
              "...}; required");
  a.elsewhere("folds", "a table with the columns name and fold");
  a.elsewhere("validate", "what chooses the best: {names: [PATTERN]}, {every: N} or {fold: K} of what `test` leaves");
  a.elsewhere("test", "what is neither trained on nor chosen by, likewise: what `fovea eval` measures");
  Keys k;
  k.crop = a.get("crop", k.crop, "side of random crops; 0: whole pictures, as `preprocess` shows them", {0, 16384});
  k.batch = a.get("batch", k.batch, "crops a step", {1, 4096});
  k.balance = a.get("balance", k.balance,
                    "probability that a crop's middle is a pixel of a class, of each class that is there as often", {0, 1});
  k.score = a.get(
      "score", "dice",
      "what is best: dice (mean over pictures), pooled_dice (at the best threshold), objects (F1 at 0.5) or quality (panoptic)");
  const std::vector<std::string> known{"dice", "pooled_dice", "objects", "quality"};
  check(std::find(known.begin(), known.end(), k.score) != known.end(), a.where(),
        ": score: expected dice, pooled_dice, objects or quality, got '", k.score, "'");
  return k;
}

double mean_best(const std::vector<RegionScores>& scores) {
  double sum = 0;
  for (const RegionScores& s : scores) sum += s.best_dice / static_cast<double>(scores.size());
  return sum;
}

Validation scored(const HighlightMeasure& m, const std::string& score) {
  const std::vector<RegionScores> scores = m.regions.scores();
  nlohmann::json details{{"dice", m.regions.mean_dice()}, {"pooled_dice", mean_best(scores)}};
  for (const RegionScores& s : scores) {
    details["dice_" + s.name] = s.dice, details["threshold_" + s.name] = s.best_threshold;
    if (std::isfinite(s.roc_auc)) details["auc_" + s.name] = s.roc_auc;
  }
  if (!m.objects.empty()) {
    double f1 = 0, quality = 0;
    for (const ObjectMetrics& o : m.objects)
      f1 += o.at(0).f1() / static_cast<double>(m.objects.size()),
          quality += o.panoptic_quality() / static_cast<double>(m.objects.size());
    details["objects"] = f1, details["quality"] = quality;
  }
  return {details.at(score).get<double>(), details};
}

Trainer::Validate validation_of(std::shared_ptr<const std::vector<RegionPicture>> pictures, const std::string& score) {
  return [pictures, score](const Model& model) {
    if (pictures->empty()) return Validation{};
    HighlightMeasure m(model, highlight_head(model).rules().thresholds, false);
    const Highlighter highlighter(model, {});
    for (const RegionPicture& p : *pictures) m.add(highlighter, p);
    return scored(m, score);
  };
}

std::string validation_table(const std::vector<RegionPicture>& pictures) {
  std::string text = "path\n";
  for (const RegionPicture& p : pictures) text += csv_quoted(fs::absolute(p.files.picture).string()) + "\n";
  return text;
}

RegionSourceOptions source_options(const Yaml& train, const Model& model, const Keys& keys, const HighlightLossOptions& losses,
                                   std::uint64_t seed) {
  RegionSourceOptions o;
  o.preprocess = model.preprocess();
  if (train.has("augment")) {
    Args a = train.at("augment").args();
    o.augment = read_region_augment(a);
    a.done();
  }
  o.crop = keys.crop, o.batch = keys.batch, o.balance = keys.balance;
  o.distance = highlight_head(model).rules().objects, o.edges = losses.boundary > 0;
  o.seed = seed;
  return o;
}

HighlightLossOptions losses_of(const Yaml& train, std::size_t classes) {
  Args a = train.has("losses") ? train.at("losses").args() : Args(train.where(), {});
  const HighlightLossOptions o = read_highlight_loss(a, classes);
  a.done();
  return o;
}

}  // namespace

std::vector<KeyGroup> highlight_keys() {
  return {keys_read("train",
                    [](Args& a) {
                      read_keys(a);
                      a.elsewhere("losses", "what is minimised: see train.losses");
                      a.elsewhere("augment", "random changes of the pictures: see train.augment");
                    }),
          keys_read("train.losses", [](Args& a) { read_highlight_loss(a, 1); }),
          keys_read("train.augment", [](Args& a) { read_region_augment(a); })};
}

std::vector<TrainingFile> highlight_files(const Yaml& recipe, const fs::path& root) {
  const Yaml& train = recipe.at("train");
  Args head = recipe.at("model").at("head").args();
  const RegionParts parts = region_parts(train, read_classes(head, 1), root);
  std::vector<TrainingFile> files;
  if (const fs::path folds = folds_file(train, root); !folds.empty()) files.push_back({folds});
  for (const auto* part : {&parts.train, &parts.validate})
    for (const RegionFiles& f : *part) {
      files.push_back({f.picture});
      for (const fs::path& mask : f.masks)
        if (!mask.empty()) files.push_back({mask});
    }
  return files;
}

TrainJob highlight_training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, names_of(highlight_keys()));
  check(!train.has("loss"), train.where(), ": loss: give weights in losses: {cross_entropy: 1, dice: 1}");
  Args a = train.args();
  const Keys keys = read_keys(a);
  check(!highlight_head(model).rules().scored, recipe.at("model").at("head").where(),
        ": this head is fitted to normal pictures, by `fovea fit-normal`, and not trained");
  const HighlightLossOptions losses = losses_of(train, model.classes().size());
  const RegionParts parts = region_parts(train, model.classes(), root);
  RegionPictures training = read_region_pictures(parts.train, model.preprocess());
  RegionPictures chosen = read_region_pictures(parts.validate, model.preprocess());
  check(options.patience == 0 || !chosen.all.empty(), train.where(), ": patience needs pictures to validate with");

  TrainJob job;
  report_bad(joined(parts.bad, training.bad), "training", job);
  report_bad(chosen.bad, "validation", job);
  const std::size_t pictures = training.all.size();
  auto source = std::make_unique<RegionSource>(std::move(training.all), source_options(train, model, keys, losses, options.seed));
  auto validating = std::make_shared<const std::vector<RegionPicture>>(std::move(chosen.all));
  if (!validating->empty()) job.files["validation.csv"] = validation_table(*validating);
  const Shape input{1, model.preprocess().channels, source->crop().height, source->crop().width};
  job.summary = fmt::format(
      "{:.0f} M multiply-adds a crop of {} x {}; {} classes; {} pictures to train with, {} to choose by, {} kept for testing",
      static_cast<double>(model.multiply_adds(input)) / 1e6, input[3], input[2], model.classes().size(), pictures,
      validating->size(), parts.test.size());
  job.source = std::move(source);
  job.loss = [losses](const NamedVars& outputs, const Batch& batch) { return highlight_loss(outputs, batch, losses); };
  job.validate = validation_of(validating, keys.score);
  return job;
}

}  // namespace fovea
