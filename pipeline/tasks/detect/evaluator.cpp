#include "pipeline/tasks/detect/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/boxes/coco.hpp"
#include "datasets/image.hpp"
#include "datasets/metrics/boxes_picture.hpp"
#include "pipeline/tasks/detect/box_data.hpp"
#include "pipeline/tasks/detect/scorer.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

class BoxEvaluator final : public Evaluator {
 public:
  std::string data_text() const override { return "COCO files, folders in Pascal VOC's or YOLO's form, data.yaml files"; }
  void add_options(OptionList& o) override {
    o.word("--split", split_, "Which part of the data: a list of VOC's ImageSets, a split of YOLO's data.yaml");
    o.words("--leave-out", unwanted_, "Pictures that do not count, by file name without extension");
    o.flag("--flip", options_.flip, "Look at each picture mirrored, too");
    o.integer("--tile", options_.tile, 0, 1 << 20, "Look at windows of so many pixels beside the whole picture; 0: do not");
    o.integer("--resamples", resampling_.resamples, 0, 100'000,
              "For the intervals of AP50: how often pictures are drawn; 0: none");
    o.output_file("--predictions", predictions_, "Write what was found as COCO results (JSON)");
    o.output_file("--truth", truth_, "Write what is there as a COCO file, which the results refer to");
    o.output_file("--curves", curves_, "Write precision against recall at IoU 0.5 as an SVG");
    o.output_file("--confusion", confusion_, "Write which classes are taken for which, of scores from 0.25, as an SVG");
  }
  void open(const Model& model, const std::vector<fs::path>& data, DType precision) override {
    options_.precision = precision;
    detector_.emplace(model, options_);
    data_ = read_all(data, split_, model.classes());
    for (const std::string& name : unwanted_)
      check(std::erase_if(data_.images, [&](const AnnotatedImage& image) { return image.file.stem() == name; }) > 0,
            "--leave-out: there is no picture '", name, "'");
    left_out_ = data_.bad;
    if (data_.images.empty())
      fail("no picture can be used", left_out_.empty() ? "" : "; the first reason: " + left_out_.front().reason);
    metrics_.emplace(model.classes());
    found_.resize(data_.images.size());
  }
  std::string title() const override {
    const Model& m = detector_->model();
    return fmt::format("{}: {} classes, {} parameters, {}; {} pictures{}", m.name(), m.classes().size(), m.params()->count(),
                       name_of(options_.precision), data_.images.size(),
                       data_.faults.empty() ? "" : fmt::format(", {} annotations left out", data_.faults.size()));
  }
  std::int64_t batches() const override { return static_cast<std::int64_t>(data_.images.size()); }
  void add(std::int64_t batch) override {
    const auto i = static_cast<std::size_t>(batch);
    found_[i] = measure_boxes(*metrics_, *detector_, data_.images[i], left_out_);
    scores_.reset(), intervals_.reset();
  }
  double score() const override { return scores().ap; }
  std::string table() const override { return box_table(scores(), intervals()); }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all{{"left_out", left_out_.size()}, {"annotations_left_out", data_.faults.size()}};
    all.update(box_json(scores(), data_.category_ids, intervals()));
    return all;
  }
  std::map<std::string, std::string> files() const override {
    std::map<std::string, std::string> all;
    if (!predictions_.empty()) all[predictions_] = coco_results_text(data_, found_);
    if (!truth_.empty()) all[truth_] = coco_text(data_, fs::absolute(truth_).parent_path());
    const std::string title =
        fmt::format("{}: AP50 {:.4f} on {} pictures", detector_->model().name(), scores().ap50, metrics_->images());
    if (!curves_.empty()) all[curves_] = precision_recall_picture(scores(), title);
    if (!confusion_.empty()) all[confusion_] = confusion_picture(confusion(), title);
    return all;
  }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  const BoxScores& scores() const {
    if (!scores_) scores_ = metrics_->scores();
    return *scores_;
  }
  const std::vector<BoxMetrics::Interval>& intervals() const {
    if (!intervals_)
      intervals_ = resampling_.resamples > 0 ? metrics_->intervals(resampling_) : std::vector<BoxMetrics::Interval>();
    return *intervals_;
  }
  BoxConfusion confusion() const {
    BoxConfusion counts(data_.classes);
    for (std::size_t i = 0; i < found_.size(); ++i) counts.add(data_.images[i].annotations, found_[i]);
    return counts;
  }

  std::string split_, predictions_, truth_, curves_, confusion_;
  std::vector<std::string> unwanted_;
  DetectOptions options_ = measuring_options();
  BoxMetrics::Resampling resampling_;
  std::optional<Detector> detector_;
  BoxData data_;
  std::vector<Detections> found_;
  std::vector<BadFile> left_out_;
  std::optional<BoxMetrics> metrics_;
  mutable std::optional<BoxScores> scores_;  // of all pictures so far, and how sure they are: the table and the JSON ask for both
  mutable std::optional<std::vector<BoxMetrics::Interval>> intervals_;
};

}  // namespace

DetectOptions measuring_options() {
  DetectOptions options;
  options.decode.confidence = options.decode.suppression.least_score = 0.001;
  options.decode.candidates = 3000;
  options.decode.suppression.most = 300;
  return options;
}

Detections measure_boxes(BoxMetrics& metrics, const Detector& detector, const AnnotatedImage& image, std::vector<BadFile>& bad) {
  cv::Mat picture;
  try {
    picture = read_photo(image.file);
  } catch (const std::exception& e) {
    bad.push_back(bad_file(image.file, e));
    return {};
  }
  Detections found = detector.run(picture).detections;
  metrics.add(image.id, image.annotations, found);
  return found;
}

std::unique_ptr<Evaluator> detect_evaluator() { return std::make_unique<BoxEvaluator>(); }

}  // namespace fovea
