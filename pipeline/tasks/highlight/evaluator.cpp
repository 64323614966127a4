#include "pipeline/tasks/highlight/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/regions/field_of_view.hpp"
#include "datasets/scans/stack_reader.hpp"
#include "modules/io/files.hpp"
#include "pipeline/tasks/highlight/anomaly_scores.hpp"
#include "pipeline/tasks/highlight/measure.hpp"
#include "pipeline/tasks/highlight/score_table.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

bool is_recipe(const fs::path& file) { return file.extension() == ".yaml" || file.extension() == ".yml"; }

class HighlightEvaluator final : public Evaluator {
 public:
  std::string data_text() const override {
    return "folders with images/ and masks/<class>/, objects/<class>/ or, of one class, masks/ or labels/; or the recipe of a "
           "training, for its --part; of models that were fitted to normal pictures also folders with normal/ (or good/) and "
           "others of anomalous "
           "ones, or .csv tables of path and label";
  }
  void add_options(OptionList& o) override {
    o.word("--part", part_, "Of a recipe's data", {"test", "validate", "train", "all"});
    o.word("--data-root", root_, "Where a recipe's paths begin");
    o.flag("--field-of-view", field_of_view_, "Count only what the lens shows: without the dark rim of fundus pictures");
    o.flag("--flips", options_.flips, "Look at each picture mirrored, too, and take the mean");
    add_sampling_options(o, options_);
    o.integer("--window", options_.window, 0, 16384, "Side of windows over large pictures; 0: as the model's `highlight` does");
    o.number("--threshold", threshold_, 0, 1,
             "Probability from which a pixel counts as found, of every class; else the model's own");
    o.hide_default();
  }
  bool runs_only() const override { return options_.samples == 0; }
  void open(const Model& model, const std::vector<fs::path>& data, DType precision) override {
    options_.precision = precision;
    highlighter_.emplace(model, options_);
    rules_ = highlight_head(model).rules();
    if (threshold_ >= 0) std::fill(rules_.thresholds.begin(), rules_.thresholds.end(), threshold_);
    for (const fs::path& path : data) add_data(path);
    check(batches() > 0, data.front().string(), ": no picture can be used");
    measure_.emplace(model, rules_.thresholds);
    scores_.emplace(rules_.thresholds.front());
  }
  std::string title() const override {
    const Model& m = highlighter_->model();
    return fmt::format("{}: {} classes, {} parameters, {}; {} pictures", m.name(), m.classes().size(), m.params()->count(),
                       name_of(options_.precision), batches());
  }
  std::int64_t batches() const override { return static_cast<std::int64_t>(files_.size() + judged_.size()); }
  void add(std::int64_t batch) override {
    if (const auto i = static_cast<std::size_t>(batch); i >= files_.size()) return judge(judged_.at(i - files_.size()));
    for (const RegionPicture& picture : read(files_.at(static_cast<std::size_t>(batch))))
      measure_->add(*highlighter_, picture, field_of_view_ ? field_of_view(picture.values) : cv::Mat());
    if (static_cast<std::size_t>(batch) + 1 == files_.size() && measure_->regions.pictures() == 0)
      fail("no picture can be used; the first reason: ", bad_.front().reason);
  }
  double score() const override { return files_.empty() ? scores_->auroc() : measure_->regions.mean_dice(); }
  std::string table() const override {
    const std::string pictures = judged_.empty() ? "" : scores_->table();
    return files_.empty() ? pictures : region_table(measure_->regions.scores(), measure_->objects) + pictures;
  }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json json;
    if (!files_.empty()) json = region_json(measure_->regions.scores(), measure_->objects);
    if (!judged_.empty()) json["scores"] = scores_->json();
    json["left_out"] = bad_.size();
    return json;
  }
  std::vector<BadFile> left_out() const override { return bad_; }

 private:
  // Nothing of what cannot be read, which is noted.
  std::vector<RegionPicture> read(const RegionFiles& files) {
    RegionPictures pictures = read_region_pictures({files}, highlighter_->model().preprocess());
    bad_.insert(bad_.end(), pictures.bad.begin(), pictures.bad.end());
    return std::move(pictures.all);
  }
  void take(std::vector<RegionFiles> files) { files_.insert(files_.end(), files.begin(), files.end()); }
  void add_data(const fs::path& path) {
    if (is_recipe(path)) return add_recipe(path);
    if (!rules_.scored || !has_kinds(path)) return add_folder(path);
    const std::vector<JudgedPicture> all = read_kinds(path, bad_);
    judged_.insert(judged_.end(), all.begin(), all.end());
  }
  void judge(const JudgedPicture& picture) {
    try {
      StackReader reader(std::make_shared<const ImageStack>(std::vector{picture.file}, std::nullopt, ImageStack::Options{}),
                         highlighter_->model().preprocess());
      scores_->add(picture.kind, *score_of((*highlighter_)(reader.values(0)), 0, rules_));
    } catch (const std::exception& e) { bad_.push_back(bad_file(picture.file, e)); }
  }
  void add_folder(const fs::path& folder) {
    RegionList list = list_regions(folder, highlighter_->model().classes());
    bad_.insert(bad_.end(), list.bad.begin(), list.bad.end());
    take(std::move(list.files));
  }
  void add_recipe(const fs::path& file) {
    const auto bytes = read_file(file);
    const Yaml recipe = Yaml::parse({bytes.begin(), bytes.end()}, file.string());
    check(recipe.has("train"), file.string(), ": expected a key `train`, whose data are measured on");
    const RegionParts parts = region_parts(recipe.at("train"), highlighter_->model().classes(), root_);
    bad_.insert(bad_.end(), parts.bad.begin(), parts.bad.end());
    if (part_ == "test" || part_ == "all") take(parts.test);
    if (part_ == "validate" || part_ == "all") take(parts.validate);
    if (part_ == "train" || part_ == "all") take(parts.train);
    check(!files_.empty(), file.string(), ": train: ", part_, ": there is no such part");
  }

  std::string part_ = "test", root_ = ".";
  bool field_of_view_ = false;
  double threshold_ = -1;
  HighlightOptions options_;
  std::optional<Highlighter> highlighter_;
  std::optional<HighlightMeasure> measure_;
  RegionRules rules_;
  std::optional<AnomalyScores> scores_;
  std::vector<RegionFiles> files_;
  std::vector<JudgedPicture> judged_;  // behind those
  std::vector<BadFile> bad_;
};

}  // namespace

std::unique_ptr<Evaluator> highlight_evaluator() { return std::make_unique<HighlightEvaluator>(); }

}  // namespace fovea
