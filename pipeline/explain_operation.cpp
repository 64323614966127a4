#include "pipeline/explain_operation.hpp"

#include <fmt/format.h>

#include "pipeline/explain_summary.hpp"
#include "pipeline/sinks/report_explain.hpp"
#include "pipeline/stages/explain_images.hpp"
#include "pipeline/stages/load.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kMany = 1 << 20;

std::string method_list() {
  std::string text;
  for (const explain::Method& m : explain::methods()) text += (text.empty() ? "" : "; ") + m.name + ": " + m.text;
  return text;
}

class Explain final : public Operation {
 public:
  void add_options(OptionList& o) override {
    add_method_options(o);
    o.flag("--faithfulness", options_.faithfulness, "Measure each map: insertion and deletion");
    o.word("--boxes", boxes_file_, "JSON with boxes of the images' objects: also play the pointing game");
    o.flag("--statistics", statistics_, "Count what the heads do over all images: OUT/statistics.csv, .json, .svg");
    o.word("--raw", raw_, "Values beside the picture: npy, png (16 bit), none", {"npy", "png", "none"});
    o.word("--colours", colours_, "turbo, viridis or inferno", {"turbo", "viridis", "inferno"});
    o.number("--opacity", opacity_, 0, 1, "Of the colours, 0 to 1");
  }
  void open(Model model, const Run& run) override {
    check(run.precision == DType::f32, "--precision: explanations are computed in f32");
    if (!boxes_file_.empty()) read_boxes();
    explainer_ = std::make_shared<const Explainer>(std::move(model), options_);
    if (statistics_) explainer_->check_statistics();
  }
  const Model& model() const override { return explainer_->model(); }
  bool runs_only() const override { return explainer_->runs_only(); }
  nlohmann::json settings() const override {
    const explain::Options& d = options_.details;
    return {{"command", "explain"},
            {"method", options_.method},
            {"layer", options_.layer},
            {"class", options_.target},
            {"top", options_.top},
            {"raw", raw_},
            {"colours", colours_},
            {"opacity", opacity_},
            {"heads", d.heads},
            {"channels", d.channels},
            {"window", d.window},
            {"stride", d.stride},
            {"samples", d.samples},
            {"noise", d.noise},
            {"steps", d.steps},
            {"seed", d.seed},
            {"faithfulness", options_.faithfulness}};
  }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
    stages.push_back({std::make_unique<ExplainImages>(explainer_), jobs.process, jobs.threads});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    SaveExplainedOptions save;
    save.raw = raw_ == "npy" ? RawMap::npy : raw_ == "png" ? RawMap::png : RawMap::none;
    save.colours = colours_ == "viridis" ? Colours::viridis : colours_ == "inferno" ? Colours::inferno : Colours::turbo;
    save.opacity = opacity_;
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<SaveExplained>(save), jobs.save, 1});
    return stages;
  }
  void check_answer(const fs::path& output) const override { read_explained(output); }
  std::vector<fs::path> finish(const fs::path& out, const Ledger& ledger, bool complete) override {
    if (statistics_ && complete)
      heads_ = "<h2>Heads</h2>\n<div style=\"overflow:auto\">" + write_statistics(out, ledger, *explainer_) + "</div>\n";
    faithfulness_ = faithfulness_of(out, ledger, boxes_);
    return {};
  }
  ReportParts report() const override { return {.title = "Fovea explain", .extra = heads_}; }
  bool always_reports() const override { return true; }
  std::string article(const fs::path& out, const Record& record) const override { return explained_entry(out, record); }
  std::string done_text() const override { return "explained by " + options_.method; }
  void add_to_summary(nlohmann::ordered_json& json) const override {
    json["method"] = options_.method;
    if (!faithfulness_.is_null()) json["faithfulness"] = faithfulness_;
  }
  std::vector<std::string> summary_lines() const override {
    std::vector<std::string> lines;
    for (const auto& [map, scores] : faithfulness_.items()) lines.push_back(fmt::format("{}: {}", map, scores.dump()));
    return lines;
  }

 private:
  void read_boxes() {
    check(fs::is_regular_file(boxes_file_), "--boxes ", boxes_file_, ": no such file");
    try {
      boxes_ = Boxes(boxes_file_);
    } catch (const Error& e) { fail("--boxes ", e.what()); }
  }
  void add_method_options(OptionList& o) {
    explain::Options& d = options_.details;
    o.word("--method", options_.method, method_list());
    o.word("--layer", options_.layer, "Glob of layers (default: the deepest map, or all that show attention)");
    o.word("--class", options_.target,
           "Class to explain: its name, a synonym in it (\"tabby\" of \"Egyptian cat, tabby\", in either case) or its index "
           "(default: the most probable one)");
    o.integer("--top", options_.top, 1, 1000, "Classes to report");
    o.flag("--heads", d.heads, "attention: a map for each head instead of their mean");
    o.integer("--channels", d.channels, 0, kMany, "score_cam: only the channels that vary most; 0: all");
    o.integer("--window", d.window, 0, 1 << 14, "occlusion: side in input pixels; 0: a seventh of the input");
    o.integer("--stride", d.stride, 0, 1 << 14, "occlusion: 0: half the window");
    o.integer("--samples", d.samples, 1, 100000, "smooth_grad: noisy copies");
    o.number("--noise", d.noise, 0, 10, "smooth_grad: standard deviation, part of the input's range");
    o.integer("--steps", d.steps, 1, 100000, "integrated_gradients: steps from a blank picture");
    o.integer("--seed", seed_, 0, 1 << 30, "smooth_grad: of the noise");
    o.integer("--batch", d.batch, 1, 1024, "Changed pictures run at once");
  }

  ExplainOptions options_;
  std::string raw_ = "npy", colours_ = "turbo", boxes_file_, heads_;
  Boxes boxes_;
  double opacity_ = 0.5;
  int seed_ = 0;
  bool statistics_ = false;
  std::shared_ptr<const Explainer> explainer_;
  nlohmann::ordered_json faithfulness_;
};

}  // namespace

std::unique_ptr<Operation> explain_operation() { return std::make_unique<Explain>(); }

}  // namespace fovea
