#include "pipeline/tasks/detect/training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "datasets/boxes/source.hpp"
#include "pipeline/tasks/detect/box_data.hpp"
#include "pipeline/tasks/detect/evaluator.hpp"
#include "pipeline/tasks/detect/loss.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

struct Keys {
  int batch = 16, memory_mb = 2048;
  double epochs = 0, plain_epochs = 0, balance = 0, balance_threshold = 0.1;
  std::vector<int> sizes;
  std::string split, validate_split, score;
  DetectLossOptions loss;
};

Keys read_keys(Args& a, bool anchors) {
  Keys k;
  a.elsewhere("data", "COCO files, VOC or YOLO folders; required");
  a.elsewhere("validate", "data of the same kinds; AP selects the best");
  k.split = a.get("split", "", "which part of `data`: a list of VOC's ImageSets, a split of YOLO's data.yaml; empty: all");
  k.validate_split = a.get("validate_split", "", "which part of `validate`");
  k.batch = a.get("batch", k.batch, "pictures a step", {1, 4096});
  k.epochs = a.get("epochs", k.epochs, "passes over the pictures, instead of steps");
  k.plain_epochs = a.get("plain_epochs", k.plain_epochs, "at the end, without mosaic, copy-paste and mixup", {0, 1e6});
  k.sizes = a.list("sizes", std::vector<int>{},
                   "sides of the network's input, each as likely for a batch; empty: that of `preprocess`", {32, 4096});
  k.balance = a.get("balance", k.balance, "0 to 1: how much more often pictures with rare classes are drawn", {0, 1});
  k.balance_threshold =
      a.get("balance_threshold", k.balance_threshold, "share of the pictures below which a class is rare", {0, 1});
  k.memory_mb = a.get("memory_mb", k.memory_mb, "for decoded pictures; those beyond it are decoded each time", {0, 1e6});
  k.score = a.get("score", "ap", "what selects the best: ap or ap50");
  check(k.score == "ap" || k.score == "ap50", a.where(), ": score: expected ap or ap50, got '", k.score, "'");
  k.loss = read_detect_loss(a, anchors);
  a.elsewhere("augment", "see train.augment");
  return k;
}

// The batch from which on the pictures are plain: the last epochs, of `each` steps.
std::int64_t plain_from(const Keys& keys, double each, const TrainOptions& options) {
  const std::int64_t plain = std::llround(keys.plain_epochs * each);
  return std::max<std::int64_t>(0, options.steps - plain) * options.accumulate;
}

Trainer::Validate validation_of(std::shared_ptr<const BoxData> data, const std::string& score) {
  return [data, score](const Model& model) {
    if (data->images.empty()) return Validation{};
    BoxMetrics metrics(model.classes());
    std::vector<BadFile> bad;
    const Detector detector(model, measuring_options());
    for (const AnnotatedImage& image : data->images) measure_boxes(metrics, detector, image, bad);
    const BoxScores s = metrics.scores();
    Validation v{score == "ap" ? s.ap : s.ap50, {{"ap", s.ap}, {"ap50", s.ap50}, {"ar100", s.ar100}}};
    for (const auto& c : s.classes) v.details["ap50_" + c.name] = c.ap50;
    return v;
  };
}

std::int64_t count_objects(const BoxData& data) {
  std::int64_t count = 0;
  for (const AnnotatedImage& image : data.images)
    count += std::count_if(image.annotations.begin(), image.annotations.end(), [](const Annotation& a) { return !a.ignored; });
  return count;
}

// Sizes as squares, or with the proportions of the recipe's `preprocess`.
std::vector<cv::Size> sizes_of(const std::vector<int>& sides, const Preprocess& p) {
  std::vector<cv::Size> sizes;
  const int longest = std::max(p.width, p.height);
  for (const int side : sides) {
    const auto scaled = [&](int whole) {
      return std::max(32, static_cast<int>(std::lround(side / 32.0 * whole / longest)) * 32);
    };
    sizes.emplace_back(scaled(p.width), scaled(p.height));
  }
  return sizes;
}

void report_faults(const BoxData& data, const std::string& part, TrainJob& job) {
  std::vector<BadFile> bad;
  for (const AnnotationFault& f : data.faults) bad.push_back({f.file, f.file.string() + ": " + f.reason});
  report_bad(bad, part, job, "annotations");
}

}  // namespace

std::vector<KeyGroup> detect_keys() {
  return {keys_read("train", [](Args& a) { read_keys(a, false); }),
          keys_read("train.augment", [](Args& a) { read_box_augment(a); })};
}

std::vector<TrainingFile> detect_files(const Yaml& recipe, const fs::path& root) {
  const Yaml& train = recipe.at("train");
  Args a = train.args();
  const Keys keys = read_keys(a, true);
  std::vector<TrainingFile> files;
  std::set<fs::path> sources;
  for (const char* key : {"data", "validate"}) {
    if (!train.has(key)) continue;
    const BoxData data =
        read_all(data_paths(train.at(key), root), key == std::string("data") ? keys.split : keys.validate_split, {});
    for (const AnnotatedImage& image : data.images) {
      if (fs::exists(image.file)) files.push_back({image.file});
      if (sources.insert(image.source).second && fs::exists(image.source)) files.push_back({image.source});
    }
  }
  return files;
}

void name_detected(Yaml& recipe, const fs::path& root) {
  const Yaml &head = recipe.at("model").at("head"), &train = recipe.at("train");
  if (head.has("classes")) return;
  Args a = train.args();
  const BoxData data = read_all(data_paths(train.at("data"), root), read_keys(a, true).split, {});
  check(!data.classes.empty(), train.at("data").where(), ": there is no object in the data");
  set_classes(recipe, data.classes, train.at("data"));
}

TrainJob detect_training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, names_of(detect_keys()));
  check(!train.has("loss"), train.where(), ": loss: a detector's is made of class_loss and box_loss");
  const BoxCoding coding = detect_head(model).coding();
  Args a = train.args();
  const Keys keys = read_keys(a, !coding.anchors.empty());
  const BoxData data = read_all(data_paths(train.at("data"), root), keys.split, model.classes());
  auto validating = std::make_shared<BoxData>();
  if (train.has("validate")) *validating = read_all(data_paths(train.at("validate"), root), keys.validate_split, model.classes());
  check(options.patience == 0 || !validating->images.empty(), train.where(), ": patience needs pictures to validate with");

  BoxSource::Options source;
  source.preprocess = model.preprocess();
  if (train.has("augment")) {
    Args augment = train.at("augment").args();
    source.augment = read_box_augment(augment);
    augment.done();
  }
  source.batch = keys.batch;
  source.seed = options.seed;
  source.classes = static_cast<std::int64_t>(model.classes().size());
  source.sizes = sizes_of(keys.sizes, source.preprocess);
  source.balance = keys.balance, source.balance_threshold = keys.balance_threshold;
  source.photos.memory = static_cast<std::size_t>(keys.memory_mb) << 20;
  const double each = static_cast<double>(data.images.size()) / (static_cast<double>(keys.batch) * options.accumulate);
  count_epochs(train, keys.epochs, each, options);
  source.plain_from = plain_from(keys, each, options);

  TrainJob job;
  auto pictures = std::make_unique<BoxSource>(data.images, source);
  report_faults(data, "training", job);
  report_faults(*validating, "validation", job);
  report_bad(joined(data.bad, pictures->bad()), "training", job);
  report_bad(validating->bad, "validation", job);
  const DetectLossOptions loss = keys.loss;
  const auto classes = static_cast<std::int64_t>(model.classes().size());
  job.loss = [coding, classes, loss](const NamedVars& outputs, const Batch& batch) {
    return detect_loss(outputs, batch, coding, classes, loss);
  };
  job.validate = validation_of(validating, keys.score);
  const Preprocess& p = source.preprocess;
  job.summary =
      fmt::format("{:.0f} M multiply-adds; {} classes; {} pictures with {} objects to train with, {} to validate; {} steps",
                  static_cast<double>(model.multiply_adds({1, p.channels, p.height, p.width})) / 1e6, classes, pictures->size(),
                  count_objects(data), validating->images.size(), options.steps);
  job.source = std::move(pictures);
  return job;
}

}  // namespace fovea
