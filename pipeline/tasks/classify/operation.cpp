#include "pipeline/tasks/classify/operation.hpp"

#include <fmt/format.h>

#include "pipeline/sinks/progress.hpp"
#include "pipeline/stages/infer.hpp"
#include "pipeline/tasks/classify/article.hpp"
#include "pipeline/tasks/classify/stages.hpp"
#include "pipeline/tasks/classify/tables.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

class Classify final : public Operation {
 public:
  void add_options(OptionList& o) override {
    o.integer("--top", top_, 1, 1000, "How many classes for each picture");
    o.integer("--batch", batch_, 1, 256, "Pictures that the network takes at once");
  }
  void open(Model model, const Run& run) override {
    model_ = std::move(model);
    precision_ = run.precision;
    check(model_.info().task == "classify", model_.name(), " is no classifier: it is for the task '", model_.info().task, "'");
  }
  const Model& model() const override { return model_; }
  nlohmann::json settings() const override { return {{"command", "classify"}, {"top", top_}}; }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages = network_stages(model_, precision_, jobs);
    stages.push_back({std::make_unique<DecodeClasses>(model_.classes(), top_), jobs.process, 1});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<SavePredictions>(precision_), jobs.save, 1});
    return stages;
  }
  std::size_t group() const override { return static_cast<std::size_t>(batch_); }

  bool answers_in_text() const override { return true; }
  std::string text(const Frame& frame) const override {
    std::string text = printable(frame.source) + "\n";
    for (const Prediction& p : frame.results.get(kPredictions))
      text += fmt::format("  {:5.1f} %  {}\n", 100 * p.probability, p.name);
    return text;
  }
  nlohmann::ordered_json json(const Frame& frame) const override { return answer_of(frame, precision_); }

  void check_answer(const fs::path& output) const override { read_answer(output); }
  std::vector<fs::path> finish(const fs::path& out, const Ledger& ledger, bool) override {
    return write_predictions(out, ledger);
  }
  ReportParts report() const override {
    return {.title = "Fovea classify", .style = kPredictionsStyle, .tiles = true, .shown = 400, .sort_key = predictions_sort_key};
  }
  std::string article(const fs::path& out, const Record& record) const override { return predictions_article(out, record); }
  std::string done_text() const override { return "classified"; }

 private:
  Model model_;
  DType precision_ = DType::f32;
  int top_ = 5, batch_ = 1;
};

}  // namespace

std::unique_ptr<Operation> classify_operation() { return std::make_unique<Classify>(); }

}  // namespace fovea
