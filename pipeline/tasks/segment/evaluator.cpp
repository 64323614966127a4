#include "pipeline/tasks/segment/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/preprocess.hpp"
#include "pipeline/answer_pairs.hpp"
#include "pipeline/tasks/segment/label_map.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::string table_of(const OverlapMetrics& m) {
  std::size_t width = 5;
  for (const auto& c : m.per_class()) width = std::max(width, c.name.size());
  std::string text = fmt::format("{:<{}} {:>12} {:>8} {:>8}\n", "class", width, "pixels", "Dice", "IoU");
  for (const auto& c : m.per_class())
    text += fmt::format("{:<{}} {:>12} {:>8.4f} {:>8.4f}\n", c.name, width, c.true_, c.dice(), c.iou());
  return text + fmt::format("{:<{}} {:>12} {:>8.4f} {:>8.4f}   pixels right {:.4f}\n", "mean", width, "", m.mean_dice(),
                            m.mean_iou(), m.accuracy());
}

class LabelEvaluator final : public Evaluator {
 public:
  std::string data_text() const override { return "folders with images/ and masks/ inside"; }
  void open(const Model& model, const std::vector<fs::path>& data, DType precision) override {
    model_ = model;
    precision_ = precision;
    metrics_.emplace(model.classes());
    pictures_ = read_masked(data, model.classes().size());
    if (pictures_.all.empty()) fail("no picture can be used; the first reason: ", pictures_.bad.front().reason);
  }
  std::string title() const override {
    return fmt::format("{}: {} classes, {} parameters, {}; {} pictures", model_.name(), model_.classes().size(),
                       model_.params()->count(), name_of(precision_), pictures_.all.size());
  }
  std::int64_t batches() const override { return static_cast<std::int64_t>(pictures_.all.size()); }
  void add(std::int64_t batch) override {
    measure_labels(*metrics_, model_, pictures_.all.at(static_cast<std::size_t>(batch)), precision_);
  }
  double score() const override { return metrics_->mean_dice(); }
  std::string table() const override { return table_of(*metrics_); }
  nlohmann::ordered_json json() const override { return metrics_->json(); }
  std::vector<BadFile> left_out() const override { return pictures_.bad; }

 private:
  Model model_;
  DType precision_ = DType::f32;
  MaskedPictures pictures_;
  std::optional<OverlapMetrics> metrics_;
};

class MaskScorer final : public AnswerScorer {
 public:
  std::string name() const override { return "masks"; }
  std::string text() const override { return "Dice and IoU of masks that were written, against true masks of the same names"; }
  void add_options(OptionList& o) override {
    o.word("ANSWERS", answers_, "Folder of masks: NAME.png, or NAME.EXT.mask.png as `fovea segment -o` writes them");
    o.require();
    o.word("TRUTH", truth_, "Folder of the true masks");
    o.require();
    o.integer("--classes", classes_, 1, 254, "How many classes; 1: every pixel above 0 is the class");
  }
  void run() override {
    std::vector<std::string> names;
    for (int i = 0; i < classes_; ++i) names.push_back(std::to_string(i));
    metrics_.emplace(names);
    for (const AnswerPair& pair : answer_pairs(answers_, truth_, left_out_, ".mask")) try {
        metrics_->add(read_mask(pair.answer, names.size()), read_mask(pair.truth, names.size()));
      } catch (const std::exception& e) { left_out_.push_back(bad_file(pair.truth, e)); }
  }
  std::string table() const override { return table_of(*metrics_); }
  nlohmann::ordered_json json() const override { return metrics_->json(); }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  std::string answers_, truth_;
  std::vector<BadFile> left_out_;
  int classes_ = 1;
  std::optional<OverlapMetrics> metrics_;
};

}  // namespace

void measure_labels(OverlapMetrics& metrics, const Model& model, const MaskedPicture& picture, DType precision) {
  const Preprocessed in = preprocess(picture.picture, model.preprocess());
  const Tensor logits = model.run(in.tensor, {.precision = precision}).outputs.at("logits");
  metrics.add(label_map(logits, in.geometry).labels, picture.mask);
}

std::unique_ptr<Evaluator> label_evaluator() { return std::make_unique<LabelEvaluator>(); }
std::unique_ptr<AnswerScorer> mask_scorer() { return std::make_unique<MaskScorer>(); }

}  // namespace fovea
