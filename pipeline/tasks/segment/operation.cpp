#include "pipeline/tasks/segment/operation.hpp"

#include <fmt/format.h>

#include "modules/io/json.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/stages/infer.hpp"
#include "pipeline/tasks/segment/stages.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Classes and their share of the pixels. Error with the file's name.
std::vector<std::pair<std::string, double>> read_shares(const fs::path& file) {
  std::vector<std::pair<std::string, double>> shares;
  for (const JsonValue& c : read_json(file).at("classes").items())
    shares.emplace_back(c.at("class").text(), c.at("share").number());
  return shares;
}

class Segment final : public Operation {
 public:
  void add_options(OptionList& o) override {
    o.number("--opacity", opacity_, 0, 1, "Of the colours in the overlay");
    o.integer("--batch", batch_, 1, 256, "Pictures of one size that the network takes at once");
  }
  void open(Model model, const Run& run) override {
    model_ = std::move(model);
    precision_ = run.precision;
    check(model_.info().task == "segment", model_.name(), " labels no pixels: it is for the task '", model_.info().task, "'");
  }
  const Model& model() const override { return model_; }
  bool runs_only() const override { return model_.preprocess().resize != Preprocess::Resize::none; }
  nlohmann::json settings() const override { return {{"command", "segment"}, {"opacity", opacity_}}; }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages = network_stages(model_, precision_, jobs);
    stages.push_back({std::make_unique<DecodeLabels>(), jobs.process, 1});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<SaveLabels>(model_.classes(), precision_, opacity_), jobs.save, 1});
    return stages;
  }
  std::size_t group() const override { return static_cast<std::size_t>(batch_); }
  void check_answer(const fs::path& output) const override { read_shares(output); }
  ReportParts report() const override { return {.title = "Fovea segment"}; }
  std::string article(const fs::path& out, const Record& record) const override {
    const fs::path output = out / record.output;
    std::string text = fmt::format("<article><header><h3>{}</h3><span class=\"soft\">{:.1f} s</span></header>\n",
                                   html(fs::path(record.output).replace_extension().string()), record.seconds);
    try {
      std::vector<std::pair<std::string, std::string>> shares;
      for (const auto& [name, share] : read_shares(output)) shares.emplace_back(name, fmt::format("{:.1f} %", 100 * share));
      const fs::path overlay = beside(output, "overlay.png");
      return text + "<div class=\"maps\">" + figure(record.input, "the image", record.part) + figure(overlay, "labels") +
             "</div>\n<div style=\"padding:0 18px 18px\">" + html_list(shares) + "</div></article>\n";
    } catch (const std::exception& e) {
      return text + fmt::format("<p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p></article>\n", html(e.what()));
    }
  }
  std::string done_text() const override { return "segmented"; }

 private:
  Model model_;
  DType precision_ = DType::f32;
  double opacity_ = 0.45;
  int batch_ = 1;
};

}  // namespace

std::unique_ptr<Operation> segment_operation() { return std::make_unique<Segment>(); }

}  // namespace fovea
