#include "pipeline/tasks/detect/scorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "datasets/boxes/coco.hpp"
#include "datasets/metrics/boxes_confusion.hpp"
#include "datasets/metrics/boxes_picture.hpp"
#include "modules/io/files.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

// A dash where there is no such figure.
std::string number(double value) { return value < 0 ? "-" : fmt::format("{:.4f}", value); }

class BoxScorer final : public AnswerScorer {
 public:
  std::string name() const override { return "boxes"; }
  std::string text() const override { return "AP and AR of boxes that were written, as COCO measures them"; }
  void add_options(OptionList& o) override {
    o.word("GROUND_TRUTH", truth_, "The true boxes, a .json file as COCO's instances_val2017.json");
    o.require();
    o.word("DETECTIONS", detections_, "The boxes that were found, a .json file as COCO's results");
    o.require();
    o.output_file("--curves", curves_, "Write precision against recall at IoU 0.5 as an SVG");
    o.output_file("--confusion", confusion_, "Write which classes are taken for which as an SVG");
    o.number("--score", limits_.score, -1e9, 1e9, "For the confusion matrix: detections from this score on count");
    o.number("--iou", limits_.iou, 0.01, 1, "For the confusion matrix: what an object and a detection must have in common");
    o.integer("--resamples", resampling_.resamples, 0, 100'000, "For the intervals of AP50: how often images are drawn; 0: none");
  }
  void run() override {
    data_ = read_coco(truth_, {}, CocoUse::measuring);
    const std::vector<Detections> found = read_coco_results(detections_, data_);
    BoxMetrics metrics(data_.classes);
    for (std::size_t i = 0; i < found.size(); ++i) metrics.add(data_.images[i].id, data_.images[i].annotations, found[i]);
    scores_ = metrics.scores();
    if (resampling_.resamples > 0 && metrics.images() > 0) intervals_ = metrics.intervals(resampling_);
    const std::string images = fmt::format("{} images", found.size());
    if (!curves_.empty())
      write_file_atomically(curves_,
                            precision_recall_picture(scores_, fmt::format("AP50 {} on {}", number(scores_.ap50), images)));
    if (!confusion_.empty()) write_confusion(found, images);
  }
  std::string table() const override { return box_table(scores_, intervals_); }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all = box_json(scores_, data_.category_ids, intervals_);
    if (confusion_counts_) all["confusion"] = {{"names", confusion_counts_->names()}, {"counts", confusion_counts_->counts()}};
    return all;
  }

 private:
  void write_confusion(const std::vector<Detections>& found, const std::string& images) {
    confusion_counts_.emplace(data_.classes, limits_);
    for (std::size_t i = 0; i < found.size(); ++i) confusion_counts_->add(data_.images[i].annotations, found[i]);
    write_file_atomically(confusion_,
                          confusion_picture(*confusion_counts_, fmt::format("boxes on {}: scores from {}, IoU from {}", images,
                                                                            limits_.score, limits_.iou)));
  }

  std::string truth_, detections_, curves_, confusion_;
  BoxConfusion::Options limits_;
  BoxMetrics::Resampling resampling_;
  BoxData data_;
  BoxScores scores_;
  std::vector<BoxMetrics::Interval> intervals_;
  std::optional<BoxConfusion> confusion_counts_;
};

}  // namespace

std::string box_table(const BoxScores& s, const std::vector<BoxMetrics::Interval>& intervals) {
  std::vector<std::string> names;
  std::size_t width = 5;
  for (const auto& c : s.classes) width = std::max(width, names.emplace_back(printable(c.name)).size());
  std::string text =
      fmt::format("{:<{}} {:>8} {:>10} {:>8} {:>8} {:>17} {:>8} {:>8} {:>10}\n", "class", width, "objects", "detections", "AP",
                  "AP50", intervals.empty() ? "" : "AP50, 95 %", "AR100", "best F1", "from score");
  for (std::size_t i = 0; i < s.classes.size(); ++i) {
    const auto& c = s.classes[i];
    const bool sure = i < intervals.size() && intervals[i].resamples > 0;
    text +=
        fmt::format("{:<{}} {:>8} {:>10} {:>8} {:>8} {:>17} {:>8} {:>8} {:>10}\n", names[i], width, c.objects, c.detections,
                    number(c.ap), number(c.ap50), sure ? fmt::format("{:.4f} - {:.4f}", intervals[i].low, intervals[i].high) : "",
                    number(c.ar100), number(c.best_f1), c.best_f1 > 0 ? fmt::format("{:.4f}", c.best_score) : "-");
  }
  std::size_t column = 0;
  for (const auto& [name, value] : s.figures())
    text += fmt::format("{:<9} {:>7}{}", name, number(value), ++column % 6 == 0 ? "\n" : "   ");
  return text;
}

nlohmann::ordered_json box_json(const BoxScores& s, const std::vector<std::int64_t>& category_ids,
                                const std::vector<BoxMetrics::Interval>& intervals) {
  nlohmann::ordered_json all{{"stats", nlohmann::ordered_json::object()}};
  for (const char* key : {"per_class", "precision_at_50_all_100", "names", "objects", "best_f1_at_50"})
    all[key] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : s.figures()) all["stats"][name] = value;
  const std::size_t half = s.threshold(0.5);
  for (std::size_t i = 0; i < s.classes.size(); ++i) {
    const BoxScores::PerClass& c = s.classes[i];
    const std::string id = std::to_string(category_ids.at(i));
    PrecisionCurve none;
    none.fill(-1);
    all["per_class"][id] = {{"AP", c.ap}, {"AP50", c.ap50}, {"AR100", c.ar100}};
    all["precision_at_50_all_100"][id] = half < c.curves.size() ? c.curves[half] : none;
    all["names"][id] = c.name;
    all["objects"][id] = c.objects;
    all["best_f1_at_50"][id] = {
        {"F1", c.best_f1}, {"score", c.best_score}, {"precision", c.best_precision}, {"recall", c.best_recall}};
    if (i < intervals.size())
      all["AP50_intervals"][id] = {{"low", intervals[i].low}, {"high", intervals[i].high}, {"resamples", intervals[i].resamples}};
  }
  return all;
}

std::unique_ptr<AnswerScorer> box_scorer() { return std::make_unique<BoxScorer>(); }

}  // namespace fovea
