// Distillation without labels: a student sees random crops of photographs and learns what a teacher says about the same crops. Validated by
// how often both name the same class. The loss is the teacher's (train_run.hpp), which any other task may take, too.
#include <fmt/format.h>

#include <algorithm>

#include "datasets/progressive_resizing.hpp"
#include "modules/train/distill.hpp"
#include "pipeline/class_measure.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// The readable ones; the others are reported.
Photos photos_of(const Yaml& y, const fs::path& root, const std::string& part, TrainJob& job) {
  PathScope where(y.where());
  std::vector<BadFile> left_out;
  Photos photos(unlabelled(data_paths(y, root), &left_out));
  report_bad(joined(std::move(left_out), photos.bad()), part, job);
  return photos;
}

// How often a model names the teacher's class of each picture.
Trainer::Validate agreement(Photos validating, const Model& teacher) {
  constexpr int kBatch = 16;
  const auto photos = std::make_shared<Photos>(std::move(validating));
  label_by(teacher, *photos, kBatch);
  return [photos](const Model& student) {
    const ClassificationMetrics m = measure(student, *photos, kBatch, DType::f32);
    return Validation{m.top1(), {{"agreement_top1", m.top1()}, {"agreement_top5", m.top5()}}};
  };
}

struct Keys {
  int batch = 32;
  std::vector<int> sizes;  // none: the network's own
};
Keys read_keys(Args& a) {
  a.elsewhere("photos", "folders of photographs, or lists of files; required");
  a.elsewhere("validate", "likewise: how often both name the same class selects the best");
  Keys k;
  k.batch = a.get("batch", k.batch, "pictures a step");
  k.sizes = a.list("sizes", k.sizes, "sides of the training's pictures, each for an equal part of it; none: the network's own");
  a.elsewhere("augment", "random changes of the pictures; some also without it: see train.augment");
  return k;
}

class DistillTask final : public Task {
 public:
  std::string name() const override { return "distill"; }
  std::string text() const override { return "Teach a network what another one knows, on pictures without labels"; }

  // The teacher's classes.
  void complete(Yaml& recipe, const fs::path& root) const override {
    const Yaml& head = recipe.at("model").at("head");
    const Model teacher = load_teacher(recipe.at("train").at("teacher"), root);
    if (head.has("classes") || teacher.classes().empty()) return;
    recipe.set("model.head.classes", nlohmann::json(teacher.classes()).dump());
  }

  std::vector<KeyGroup> keys() const override {
    return {keys_read("train", [](Args& a) { read_keys(a); }), keys_read("train.augment", [](Args& a) { read_augment(a); })};
  }
  std::vector<TrainingFile> files(const Yaml& recipe, const fs::path& root) const override {
    std::vector<TrainingFile> files;
    for (const char* key : {"photos", "validate"})
      if (recipe.at("train").has(key))
        for (const Sample& s : unlabelled(data_paths(recipe.at("train").at(key), root))) files.push_back({s.file});
    return files;
  }

  TrainJob training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) const override {
    const Yaml& train = recipe.at("train");
    options = read_train_options(train, names_of(keys()));
    check(recipe.has("preprocess"), recipe.where(), ": expected a key 'preprocess': size, mean and std of the pictures");
    PhotoSource::Options photos;
    photos.preprocess = model.preprocess();
    if (train.has("augment")) photos.augment = read_augment(train.at("augment"));
    photos.seed = options.seed;
    Args args = train.args();
    const auto [batch, given] = read_keys(args);
    photos.batch = batch;
    const auto sizes = given.empty() ? std::vector<int>{photos.preprocess.height} : given;
    check(photos.batch > 1 && !sizes.empty() && *std::min_element(sizes.begin(), sizes.end()) >= 32, train.where(),
          ": expected batch > 1 and sizes of at least 32");
    const Model teacher = load_teacher(train.at("teacher"), root);
    TrainJob job;
    const Photos pictures = photos_of(train.at("photos"), root, "training", job);
    const Shape input{1, photos.preprocess.channels, photos.preprocess.height, photos.preprocess.width};
    job.summary = fmt::format("{:.0f} M multiply-adds; teacher {}; {} photographs",
                              static_cast<double>(model.multiply_adds(input)) / 1e6, teacher.name(), pictures.size());
    job.source = std::make_unique<ProgressiveResizing>(pictures, photos, sizes, options.steps * options.accumulate);
    check(!train.has("validate") || teacher.classes() == model.classes(), train.where(),
          ": validate compares answers, and the teacher's classes are not those of this recipe");
    job.validate = train.has("validate") ? agreement(photos_of(train.at("validate"), root, "validation", job), teacher)
                                         : [](const Model&) { return Validation{}; };
    return job;
  }
};

}  // namespace

FOVEA_TASK(distill) { return std::make_unique<DistillTask>(); }

}  // namespace fovea
