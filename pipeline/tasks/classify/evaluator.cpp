#include "pipeline/tasks/classify/evaluator.hpp"

#include <fmt/format.h>

#include <map>

#include "datasets/csv.hpp"
#include "datasets/image.hpp"
#include "datasets/labelled.hpp"
#include "pipeline/class_measure.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::string class_table(const ClassificationMetrics& m) {
  std::size_t width = 5;
  for (const std::string& c : m.classes()) width = std::max(width, c.size());
  std::string text = fmt::format("{:<{}} {:>8} {:>10} {:>8} {:>8}\n", "class", width, "images", "precision", "recall", "F1");
  for (const auto& c : m.per_class())
    text += fmt::format("{:<{}} {:>8} {:>10.4f} {:>8.4f} {:>8.4f}\n", c.name, width, c.support, c.precision, c.recall, c.f1);
  return text;
}

std::string summary(const ClassificationMetrics& m) {
  return fmt::format(
      "top-1 {:.4f}   top-5 {:.4f}   macro F1 {:.4f}   balanced accuracy {:.4f}   calibration error {:.4f}   loss {:.4f}\n",
      m.top1(), m.top5(), m.macro_f1(), m.balanced_accuracy(), m.calibration_error(), m.mean_loss());
}

class ClassEvaluator final : public Evaluator {
 public:
  std::string data_text() const override {
    return "folders with one folder a class, or .csv files; with --teacher folders of pictures, or .txt files that name them";
  }
  void add_options(OptionList& o) override {
    o.word("--teacher", teacher_, "Without labels: a model of the same classes whose first answer counts as the truth");
    o.integer("--batch", batch_, 1, 1024, "Pictures at once");
    o.output_file("--confusion", confusion_, "Write the confusion matrix as an SVG");
  }
  void open(const Model& model, const std::vector<fs::path>& data, DType precision) override {
    model_ = model;
    precision_ = precision;
    metrics_.emplace(model.classes());
    const PhotoOptions loading{.memory = 0, .shorter_side = 0};
    if (teacher_.empty()) {
      LabelledData labelled = read_labelled(data, model.classes());
      left_out_ = std::move(labelled.left_out);
      photos_.emplace(labelled.samples, loading);
    } else {
      photos_.emplace(unlabelled(data, &left_out_), loading);
    }
    left_out_.insert(left_out_.end(), photos_->bad().begin(), photos_->bad().end());
    if (photos_->size() == 0) fail("no picture can be read; the first reason: ", photos_->bad().front().reason);
    if (!teacher_.empty()) ask_teacher();
  }
  std::string title() const override {
    return fmt::format("{}: {} classes, {} parameters, {}; {} pictures", model_.name(), model_.classes().size(),
                       model_.params()->count(), name_of(precision_), photos_->size());
  }
  std::int64_t batches() const override { return batches_of(*photos_, batch_); }
  void add(std::int64_t batch) override { measure_batch(*metrics_, model_, *photos_, batch, batch_, precision_); }
  double score() const override { return metrics_->top1(); }
  std::string table() const override { return (teacher_.empty() ? class_table(*metrics_) : "") + summary(*metrics_); }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all{{"left_out", left_out_.size()}};
    all.update(metrics_->json());
    return all;
  }
  std::map<std::string, std::string> files() const override {
    if (confusion_.empty()) return {};
    return {{confusion_, confusion_picture(*metrics_, fmt::format("{}: top-1 {:.2f} % of {} pictures", model_.name(),
                                                                  100 * metrics_->top1(), metrics_->count()))}};
  }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  void ask_teacher() {
    const Model teacher = Model::load(teacher_);
    teacher.release_weights();
    check(teacher.classes() == model_.classes(), "--teacher: the ", teacher.classes().size(), " classes of ", teacher.name(),
          " are not the ", model_.classes().size(), " of ", model_.name());
    label_by(teacher, *photos_, batch_);
  }

  Model model_;
  DType precision_ = DType::f32;
  std::string teacher_, confusion_;
  int batch_ = 16;
  std::optional<Photos> photos_;
  std::vector<BadFile> left_out_;
  std::optional<ClassificationMetrics> metrics_;
};

// Accuracy of a table of predictions, as `fovea classify -o` writes it, against labels.
class PredictionScorer final : public AnswerScorer {
 public:
  std::string name() const override { return "predictions"; }
  std::string text() const override { return "Accuracy of written predictions (predictions.csv) against labelled pictures"; }
  void add_options(OptionList& o) override {
    o.word("PREDICTIONS", predictions_, "Table with the columns file and class_1, as `fovea classify -o` writes it");
    o.require();
    o.word("TRUTH", truth_, "Folder with one folder a class, or a .csv with the columns path and label");
    o.require();
  }
  void run() override {
    const Csv csv = read_csv(predictions_);
    const std::size_t file = csv.column("file"), first = csv.column("class_1");
    std::map<std::string, std::string> answers;
    for (const auto& row : csv.rows) answers[key(row.fields.at(file))] = row.fields.at(first);
    const LabelledData truth = read_labelled({truth_});
    left_out_ = truth.left_out;
    for (const Sample& s : truth.samples) {
      const auto answer = answers.find(key(s.file.string()));
      if (answer == answers.end() && is_bad(s.file)) continue;  // nothing could be said of it
      check(answer != answers.end(), predictions_, ": there is no answer for ", s.file.string());
      const std::string& label = truth.classes.at(static_cast<std::size_t>(s.label));
      auto& [right, all] = counts_[label];
      right += answer->second == label, ++all;
    }
  }
  std::string table() const override {
    std::string text = fmt::format("{:<24} {:>8} {:>8}\n", "class", "images", "recall");
    for (const auto& [label, c] : counts_)
      text +=
          fmt::format("{:<24} {:>8} {:>8.4f}\n", label, c.second, static_cast<double>(c.first) / static_cast<double>(c.second));
    return text + fmt::format("top-1 {:.4f}\n", top1());
  }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all{{"top1", top1()}};
    for (const auto& [label, c] : counts_)
      all["classes"][label] = {{"images", c.second}, {"recall", static_cast<double>(c.first) / static_cast<double>(c.second)}};
    return all;
  }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  // Whether a picture cannot be read, which is then said.
  bool is_bad(const fs::path& file) {
    try {
      (void)read_image(file);
      return false;
    } catch (const std::exception& e) {
      left_out_.push_back(bad_file(file, e));
      return true;
    }
  }
  static std::string key(const std::string& path) { return fs::absolute(path).lexically_normal().string(); }
  double top1() const {
    std::size_t right = 0, all = 0;
    for (const auto& [label, c] : counts_) right += c.first, all += c.second;
    return all > 0 ? static_cast<double>(right) / static_cast<double>(all) : 0;
  }

  std::string predictions_, truth_;
  std::vector<BadFile> left_out_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> counts_;  // right, all
};

}  // namespace

std::unique_ptr<Evaluator> class_evaluator() { return std::make_unique<ClassEvaluator>(); }
std::unique_ptr<AnswerScorer> prediction_scorer() { return std::make_unique<PredictionScorer>(); }

}  // namespace fovea
