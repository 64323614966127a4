#include "pipeline/tasks/detect/operation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "modules/explain/class_index.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/tasks/detect/stages.hpp"
#include "pipeline/tasks/detect/tables.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

const std::vector<std::string> kWritten{"overlay", "crops", "yolo", "voc", "none"};

class Detect final : public Operation {
 public:
  void add_options(OptionList& o) override {
    o.number("--conf", options_.decode.confidence, 0, 1, "Least score of a box");
    o.number("--iou", options_.decode.suppression.iou, 0, 1, "Overlap from which two boxes of a class are one");
    o.integer("--max-det", most_, 1, 10000, "Boxes a picture, the surest");
    o.words("--classes", wanted_, "Only objects of these classes");
    o.word("--nms", nms_, "How overlapping boxes become one", {"hard", "soft_linear", "soft_gaussian", "fusion"});
    o.flag("--across-classes", options_.decode.suppression.across_classes,
           "Boxes of different classes that overlap are one, too");
    o.flag("--flip", options_.flip, "Look at each picture mirrored, too");
    o.integer("--tile", options_.tile, 0, 1 << 20,
              "Look at windows of so many pixels beside the whole picture, for small objects in large pictures; 0: do not");
    o.number("--overlap", options_.overlap, 0, 0.9, "Of neighbouring windows");
    o.words("--write", write_, "Beside the JSON of each picture: overlay (the default), crops, yolo, voc, or none of them");
    o.words("--maps", maps_, "Attention maps to lay on the picture, by pattern: '**' is all");
    o.integer("--explain", explained_, 0, 100,
              "Of so many boxes a picture, the surest: where the network looked for it (Grad-CAM)");
    o.number("--opacity", save_.opacity, 0, 1, "Of the colours of maps");
  }
  void open(Model model, const Run& run) override {
    for (const std::string& w : write_)
      check(std::find(kWritten.begin(), kWritten.end(), w) != kWritten.end(),
            "--write: expected overlay, crops, yolo, voc or none, got '", w, "'");
    const auto writes = [&](const char* what) { return std::find(write_.begin(), write_.end(), what) != write_.end(); };
    save_.overlay = write_.empty() || writes("overlay");
    save_.crops = writes("crops"), save_.yolo = writes("yolo"), save_.voc = writes("voc");
    options_.precision = run.precision;
    Suppression& s = options_.decode.suppression;
    s.kind = suppression_called(nms_);
    s.most = static_cast<std::size_t>(most_);
    s.least_score = options_.decode.confidence;
    options_.keep = maps_.empty() ? "" : maps_.size() == 1 ? maps_[0] : fmt::format("{{{}}}", fmt::join(maps_, ","));
    for (const std::string& name : wanted_) labels_.insert(explain::class_index(name, model.classes()));
    detector_ = std::make_shared<Detector>(std::move(model), options_);
  }
  const Model& model() const override { return detector_->model(); }
  bool runs_only() const override {
    return explained_ == 0 && detector_->model().preprocess().resize != Preprocess::Resize::none;
  }
  nlohmann::json settings() const override {
    const DecodeOptions& d = options_.decode;
    return {{"command", "detect"},
            {"conf", d.confidence},
            {"iou", d.suppression.iou},
            {"max_det", most_},
            {"classes", wanted_},
            {"nms", nms_},
            {"across_classes", d.suppression.across_classes},
            {"flip", options_.flip},
            {"tile", options_.tile},
            {"overlap", options_.overlap},
            {"write", write_},
            {"maps", maps_},
            {"explain", explained_},
            {"opacity", save_.opacity}};
  }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
    stages.push_back({std::make_unique<DetectObjects>(detector_, labels_, explained_), jobs.process, jobs.threads});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<SaveDetections>(detector_->classes(), options_.precision, save_), jobs.save, 1});
    return stages;
  }

  bool answers_in_text() const override { return true; }
  std::string text(const Frame& frame) const override {
    std::string text = printable(frame.source) + "\n";
    for (const Detection& d : frame.results.get(kDetected).detections)
      text += fmt::format("  {:5.1f} %  {}  {:.1f} {:.1f} {:.1f} {:.1f}\n", 100 * d.score,
                          printable(detector_->classes().at(static_cast<std::size_t>(d.label))), d.box.x1, d.box.y1, d.box.x2,
                          d.box.y2);
    return text;
  }
  nlohmann::ordered_json json(const Frame& frame) const override {
    return found_json(frame, detector_->classes(), options_.precision);
  }

  void check_answer(const fs::path& output) const override { read_found(output, detector_->classes()); }
  std::vector<fs::path> finish(const fs::path& out, const Ledger& ledger, bool) override {
    const std::vector<FoundBoxes> all = read_all_found(out, ledger, detector_->classes());
    summary_ = found_summary(all, detector_->classes());
    return write_found(out, all, detector_->classes());
  }
  ReportParts report() const override { return {.title = "Fovea detect", .extra = summary_}; }
  std::string article(const fs::path& out, const Record& record) const override;
  std::string done_text() const override { return "looked at"; }

 private:
  DetectOptions options_;
  SaveDetectionsOptions save_;
  int most_ = 300, explained_ = 0;
  std::string nms_ = "hard", summary_;
  std::vector<std::string> wanted_, write_, maps_;
  std::set<std::int64_t> labels_;
  std::shared_ptr<const Detector> detector_;
};

// "photo.jpg.head.mask.jpg" beside "photo.jpg.json": "head.mask".
std::string title_of(const fs::path& file, const fs::path& output) {
  const std::string name = file.stem().string(), image = output.stem().string() + ".";
  return name.starts_with(image) ? name.substr(image.size()) : name;
}

// The pictures that were written beside the answer, and a line for each kind of object.
std::string Detect::article(const fs::path& out, const Record& record) const {
  const fs::path output = out / record.output;
  std::string text = fmt::format("<article><header><h3>{}</h3><span class=\"soft\">{:.1f} s</span></header>\n",
                                 html(fs::path(record.output).replace_extension().string()), record.seconds);
  try {
    std::map<std::string, std::vector<double>> scores;
    for (const Detection& d : read_found(output, detector_->classes()).detections)
      scores[detector_->classes().at(static_cast<std::size_t>(d.label))].push_back(d.score);
    text += "<div class=\"maps\">";
    for (const std::string& file : record.beside)
      if (fs::path(file).extension() == ".jpg") text += figure(out / file, title_of(file, output));
    text += "</div>\n<div style=\"padding:0 18px 18px\">";
    std::vector<std::pair<std::string, std::string>> lines;
    for (const auto& [name, all] : scores)
      lines.emplace_back(name, fmt::format("{}, score {:.2f} to {:.2f}", all.size(), all.back(), all.front()));
    return text + (lines.empty() ? "<p class=\"soft\">nothing was found</p>" : html_list(lines)) + "</div></article>\n";
  } catch (const std::exception& e) {
    return text + fmt::format("<p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p></article>\n", html(e.what()));
  }
}

}  // namespace

std::unique_ptr<Operation> detect_operation() { return std::make_unique<Detect>(); }

}  // namespace fovea
