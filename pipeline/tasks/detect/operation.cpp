#include "pipeline/tasks/detect/operation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/sinks/progress.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/stream.hpp"
#include "pipeline/tasks/detect/detect_options.hpp"
#include "pipeline/tasks/detect/stages.hpp"
#include "pipeline/tasks/detect/tables.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

class Detect final : public Operation {
 public:
  void add_options(OptionList& o) override { settings_.add_options(o); }
  bool takes_streams() const override { return true; }
  void add_stream_options(OptionList& o) override { settings_.add_stream_options(o); }
  void open(Model model, const Run& run) override {
    settings_.resolve(model, run.precision);
    writes_ = !run.out.empty();
    detector_ = std::make_shared<Detector>(std::move(model), settings_.detector);
  }
  const Model& model() const override { return detector_->model(); }
  bool runs_only() const override {
    return settings_.explained == 0 && detector_->model().preprocess().resize != Preprocess::Resize::none;
  }
  nlohmann::json settings() const override { return settings_.json(); }
  std::unique_ptr<FrameAnalyzer> analyzer(bool maps) const override {
    return detect_analyzer(std::make_shared<Detector>(model(), settings_.for_streams(model(), maps)), settings_.stream);
  }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    StreamOutputs outputs{.files = writes_, .drawn = settings_.save.overlay, .maps = {}, .limit = settings_.limit};
    for (const explain::Layer& layer : detector_->layers()) outputs.maps.push_back(layer.name);
    auto pictures = std::make_unique<DetectObjects>(detector_, settings_.stream.labels, settings_.explained);
    auto both = std::make_unique<AnalyzeStreams>(
        std::move(pictures), [this] { return analyzer(false); }, outputs);
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
    stages.push_back({std::move(both), jobs.process, jobs.threads});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back(
        {std::make_unique<SaveDetections>(detector_->classes(), settings_.detector.precision, settings_.save), jobs.save, 1});
    return stages;
  }

  bool answers_in_text() const override { return true; }
  std::string text(const Frame& frame) const override {
    if (frame.stream) return stream_text(frame);
    std::string text = printable(frame.source) + "\n";
    for (const Detection& d : frame.results.get(kDetected).detections)
      text += fmt::format("  {:5.1f} %  {}  {:.1f} {:.1f} {:.1f} {:.1f}\n", 100 * d.score,
                          printable(detector_->classes().at(static_cast<std::size_t>(d.label))), d.box.x1, d.box.y1, d.box.x2,
                          d.box.y2);
    return text;
  }
  nlohmann::ordered_json json(const Frame& frame) const override {
    if (frame.stream) return frame.results.get(kStreamSummary);
    return found_json(frame, detector_->classes(), settings_.detector.precision);
  }

  void check_answer(const fs::path& output) const override { read_found(output, detector_->classes()); }
  std::vector<fs::path> finish(const fs::path& out, const Ledger& ledger, bool) override {
    const FoundInRun all = read_all_found(out, ledger, detector_->classes());
    summary_ = found_summary(all.pictures, detector_->classes());
    return write_found(out, all, detector_->classes());
  }
  ReportParts report() const override {
    // Columns as wide as the names of classes.
    return {.title = "Fovea detect", .extra = summary_, .style = ".found td, .found th { overflow-wrap: break-word; }\n"};
  }
  std::string article(const fs::path& out, const Record& record) const override;
  std::string done_text() const override { return "looked at"; }

 private:
  static std::string stream_text(const Frame& frame);

  DetectSettings settings_;
  bool writes_ = true;  // into a folder
  std::string summary_;
  std::shared_ptr<const Detector> detector_;
};

using Lines = std::vector<std::pair<std::string, std::string>>;

Lines class_lines(const FoundBoxes& found, const std::vector<std::string>& classes) {
  std::map<std::string, std::vector<double>> scores;
  for (const Detection& d : found.detections) scores[classes.at(static_cast<std::size_t>(d.label))].push_back(d.score);
  Lines lines;
  for (const auto& [name, all] : scores)
    lines.emplace_back(name, fmt::format("{}, score {:.2f} to {:.2f}", all.size(), all.back(), all.front()));
  return lines;
}

// "photo.jpg.head.mask.jpg" beside "photo.jpg.json": "head.mask".
std::string title_of(const fs::path& file, const fs::path& output) {
  const std::string name = file.stem().string(), image = output.stem().string() + ".";
  return name.starts_with(image) ? name.substr(image.size()) : name;
}

std::string Detect::stream_text(const Frame& frame) {
  std::string text = printable(frame.source) + "\n";
  const std::string summary = frame.results.get(kStreamSummary).dump();
  for (const auto& [name, found] : class_lines(found_in_video(JsonValue::parse(summary, frame.source))))
    text += fmt::format("  {}: {}\n", printable(name), found);
  return text;
}

// The pictures that were written beside the answer, and a line for each kind of object.
std::string Detect::article(const fs::path& out, const Record& record) const {
  const fs::path output = out / record.output;
  std::string text = fmt::format("<article><header><h3>{}</h3><span class=\"soft\">{:.1f} s</span></header>\n",
                                 html(fs::path(record.output).replace_extension().string()), record.seconds);
  try {
    const auto found = read_found(output, detector_->classes());
    text += "<div class=\"maps\">";
    for (const std::string& file : record.beside)
      if (fs::path(file).extension() == ".jpg") text += figure(out / file, title_of(file, output));
    text += "</div>\n<div style=\"padding:0 18px 18px\">";
    const auto* video = std::get_if<FoundInVideo>(&found);
    const Lines lines = video ? class_lines(*video) : class_lines(std::get<FoundBoxes>(found), detector_->classes());
    return text + (lines.empty() ? "<p class=\"soft\">nothing was found</p>" : html_list(lines)) + "</div></article>\n";
  } catch (const std::exception& e) {
    return text + fmt::format("<p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p></article>\n", html(e.what()));
  }
}

}  // namespace

std::unique_ptr<Operation> detect_operation() { return std::make_unique<Detect>(); }

}  // namespace fovea
