#include "pipeline/tasks/segment/training.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/csv.hpp"
#include "datasets/image.hpp"
#include "modules/nn/losses.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/tasks/segment/evaluator.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// What of the target a class has: N x classes x H x W of 0 and 1; of one class N x 1 x H x W.
Tensor one_hot_map(const Tensor& mask, std::int64_t classes) {
  const std::int64_t n = mask.dim(0), area = mask.dim(1) * mask.dim(2);
  Tensor out = Tensor::zeros({n, classes, mask.dim(1), mask.dim(2)}, DType::f32, Layout::channels_last);
  const auto* label = mask.data<std::int64_t>();
  auto* to = out.data<float>();
  for (std::int64_t i = 0; i < n * area; ++i, to += classes) {
    const std::int64_t c = classes == 1 ? label[i] - 1 : label[i];
    if (c >= 0 && c < classes) to[c] = 1;
  }
  return out;
}

Var label_loss(const Var& logits, const Tensor& mask) {
  if (logits.dim(1) == 1) return bce_with_logits(logits, Var(one_hot_map(mask, 1)));
  return cross_entropy(logits, Var(mask), {.ignore_index = kIgnoredLabel});
}

Var dice_loss(const Var& logits, const Tensor& mask) {
  const Var probabilities = logits.dim(1) == 1 ? sigmoid(logits) : softmax(logits, 1);
  return soft_dice_loss(probabilities, Var(one_hot_map(mask, logits.dim(1))));
}

MaskSource::Options read_crops(Args& a) {
  MaskSource::Options o;
  a.elsewhere("data", "folders with images and masks inside; required");
  a.elsewhere("validate", "folders of the same kind; the mean Dice selects the best");
  o.crop = a.get("crop", o.crop, "side of the random crops");
  o.batch = a.get("batch", o.batch, "crops a step");
  o.flip = a.get("flip", o.flip, "mirror left and right at random; on unless said otherwise");
  o.flip_vertical = a.get("flip_vertical", o.flip_vertical, "mirror top and bottom at random");
  return o;
}

// Share of the pixels with a label that get it.
std::map<std::string, double> accuracy_of(const NamedVars& outputs, const Batch& batch) {
  const Tensor logits = outputs.at("logits").value().to(DType::f32).contiguous(Layout::channels_last);
  const Tensor& mask = batch.targets.at("mask");
  const std::int64_t classes = logits.dim(1), pixels = mask.size();
  const float* row = logits.data<float>();
  const auto* label = mask.data<std::int64_t>();
  double right = 0, counted = 0;
  for (std::int64_t i = 0; i < pixels; ++i, row += classes) {
    if (label[i] == kIgnoredLabel) continue;
    const std::int64_t best = classes == 1 ? row[0] > 0 : std::max_element(row, row + classes) - row;
    right += best == label[i], ++counted;
  }
  return {{"accuracy", counted > 0 ? right / counted : 1}};
}

TrainJob::Loss loss_called(const std::string& name, const std::string& where) {
  const bool dice = name == "dice" || name == "dice_cross_entropy", labels = name != "dice";
  check(dice || name == "cross_entropy", where, ": loss: expected cross_entropy, dice or dice_cross_entropy, got '", name, "'");
  return [dice, labels](const NamedVars& outputs, const Batch& batch) {
    const Var& logits = outputs.at("logits");
    const Tensor& mask = batch.targets.at("mask");
    check(logits.dim(2) == mask.dim(1) && logits.dim(3) == mask.dim(2), "the logits are ", logits.shape(), " for a mask of ",
          mask.shape(), "; give the head a `scale`, or a crop that the backbone's strides divide");
    if (!labels) return dice_loss(logits, mask);
    return dice ? label_loss(logits, mask) + dice_loss(logits, mask) : label_loss(logits, mask);
  };
}

Trainer::Validate validation_of(std::shared_ptr<const MaskedPictures> pictures) {
  return [pictures](const Model& model) {
    if (pictures->all.empty()) return Validation{};
    OverlapMetrics metrics(model.classes());
    for (const MaskedPicture& p : pictures->all) measure_labels(metrics, model, p, DType::f32);
    return Validation{metrics.mean_dice(),
                      {{"dice", metrics.mean_dice()}, {"iou", metrics.mean_iou()}, {"accuracy", metrics.accuracy()}}};
  };
}

std::string validation_table(const MaskedPictures& pictures) {
  std::string text = "path,mask\n";
  for (const MaskedPicture& p : pictures.all)
    text += csv_quoted(fs::absolute(p.file).string()) + "," + csv_quoted(fs::absolute(p.mask_file).string()) + "\n";
  return text;
}

}  // namespace

std::vector<KeyGroup> segment_keys() {
  return {keys_read("train", [](Args& a) { read_crops(a); })};
}

std::vector<TrainingFile> segment_files(const Yaml& recipe, const fs::path& root) {
  std::vector<TrainingFile> files;
  for (const char* key : {"data", "validate"}) {
    if (!recipe.at("train").has(key)) continue;
    for (const fs::path& folder : data_paths(recipe.at("train").at(key), root))
      for (const char* part : {"images", "masks"})
        for (const fs::path& file : images_below(folder / part).files) files.push_back({file});
  }
  return files;
}

TrainJob segment_training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, names_of(segment_keys()));
  if (!train.has("loss")) options.loss = "cross_entropy";
  Args a = train.args();
  MaskSource::Options source = read_crops(a);
  source.preprocess = model.preprocess();
  source.seed = options.seed;
  MaskedPictures training = read_masked(data_paths(train.at("data"), root), model.classes().size());
  auto validating = std::make_shared<MaskedPictures>();
  if (train.has("validate")) *validating = read_masked(data_paths(train.at("validate"), root), model.classes().size());
  check(options.patience == 0 || !validating->all.empty(), train.where(), ": patience needs pictures to validate with");
  TrainJob job;
  job.loss = loss_called(options.loss, train.where());
  job.numbers = accuracy_of;
  report_bad(training.bad, "training", job);
  report_bad(validating->bad, "validation", job);
  if (!validating->all.empty()) job.files["validation.csv"] = validation_table(*validating);
  const Shape input{1, source.preprocess.channels, source.crop, source.crop};
  job.summary = fmt::format("{:.0f} M multiply-adds a crop; {} classes; {} pictures to train with, {} to validate",
                            static_cast<double>(model.multiply_adds(input)) / 1e6, model.classes().size(), training.all.size(),
                            validating->all.size());
  job.source = std::make_unique<MaskSource>(std::move(training.all), source);
  job.validate = validation_of(validating);
  return job;
}

}  // namespace fovea
