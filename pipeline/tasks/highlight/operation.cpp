#include "pipeline/tasks/highlight/operation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "modules/core/dtype.hpp"
#include "modules/core/glob.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/stages/stream.hpp"
#include "pipeline/tasks/highlight/analyzer.hpp"
#include "pipeline/tasks/highlight/article.hpp"
#include "pipeline/tasks/highlight/series.hpp"
#include "pipeline/tasks/highlight/stages.hpp"
#include "pipeline/tasks/highlight/tables.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char *kGates = "gates", *kGradCams = "gradcam", *kSpreads = "uncertainty";
constexpr std::int64_t kTraced = 256;  // side of a picture to look for gates with
constexpr std::array<std::string_view, 7> kWritten{"overlay", "mask", "probability", "nifti", "seg", "sc", "sr"};
constexpr const char* kGateTaps = "**.spatial";

// "0.5" or "0.5,0.4": mm from row to row, from column to column.
std::optional<PixelSpacing> parse_spacing(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::vector<double> values;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    double v = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, v);
    check(error == std::errc() && stop == text.data() + end && v > 0 && v < 1e6,
          "--spacing: expected millimetres, as 0.5 or 0.5,0.4; got '", text, "'");
    values.push_back(v);
    at = end + 1;
  }
  check(values.size() <= 2, "--spacing: expected one number or two, got '", text, "'");
  return PixelSpacing{values.front(), values.back()};
}

// At commas, but for those between a pattern's braces.
std::vector<std::string> split_patterns(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> out(1);
  int deep = 0;
  for (const char c : text) {
    deep += (c == '{') - (c == '}');
    if (c == ',' && deep == 0) out.emplace_back();
    else out.back() += c;
  }
  return out;
}

struct Settings {
  std::string window, spacing, maps, key_file;
  std::vector<std::string> patterns;  // of taps, among what `maps` names
  std::vector<std::string> write;     // empty: overlay, mask, probability
  double threshold = -1;
  bool apart = false, force = false, deidentify = false;
  HighlightOptions run;
  SaveHighlightsOptions save;

  void add_options(OptionList& o) {
    o.word("--window", window,
           "How grey values are shown: WIDTH:LEVEL, auto, or lung, bone, brain, abdomen, mediastinum, liver (default: as the "
           "file says); "
           "the network never sees it");
    o.hide_default();
    o.word("--spacing", spacing, "Millimetres a pixel, of files that do not say it: 0.5, or rows,columns as 0.5,0.4");
    o.hide_default();
    o.words("--write", write,
            "What to write: overlay, mask, probability, nifti (of single pictures; volumes always are), seg, sc and sr (of DICOM "
            "files: segmentations, overlays as secondary captures, measurements as structured reports); overlay, mask and "
            "probability unless said");
    o.flag("--flips", run.flips,
           "Look at each picture mirrored, too, as the model's training did: better, two or four times slower, and the spread is "
           "a map "
           "of uncertainty");
    add_sampling_options(o, run);
    o.word("--maps", maps,
           "Maps to look at, with commas between them: gates (all of the network's spatial gates), gradcam (what each class was "
           "recognised by), uncertainty (of --flips and --samples), or a pattern of names, as fovea list prints them");
    o.hide_default();
    o.number("--threshold", threshold, 0, 1,
             "Probability from which a pixel belongs to a class, of every class (default: the model's own)");
    o.hide_default();
    o.number("--sure", save.drawing.sure, 0, 1, "Regions of a lower mean probability are hatched and marked");
    o.integer("--tile", run.window, 0, 16384,
              "Side of windows over large pictures, in pixels of the network's input; 0: 768 where there are over 1024 x 1024");
    o.number("--opacity", save.drawing.opacity, 0, 1, "Of the colours in the overlay");
    o.flag("--fractional", save.fractional, "DICOM segmentations hold probabilities instead of masks");
    o.flag("--apart", apart, "Every file by itself: do not join the files of a series into a volume");
    o.flag("--force", force, "Also what the model was not made for; every output then says so");
    o.flag(
        "--deidentify", deidentify,
        "Nobody can be told from the results: no names of files and folders, patients, dates or identifiers, as DICOM PS3.15's "
        "Basic Application Confidentiality Profile asks; whose they are is in the key file alone");
    o.word("--key-file", key_file,
           "With --deidentify: the secret behind the new names, and whose they are; made, or read to go on with the same names; "
           "never inside OUT (default: OUT.key.jsonl beside it)");
    o.hide_default();
    o.flag(
        "--allow-burned-in", save.allow_burned_in,
        "With --deidentify: overlays, too, of pixels that may show a name: where Burned In Annotation is YES, and of ultrasound, "
        "secondary captures and modality OT that do not say NO");
  }
  // Those that mean something for pictures one after another.
  void add_stream_options(OptionList& o) {
    o.flag("--flips", run.flips,
           "Look at each picture mirrored, too, as the model's training did: better, two or four times slower");
    o.number("--threshold", threshold, 0, 1,
             "Probability from which a pixel belongs to a class, of every class (default: the model's own)");
    o.hide_default();
    o.number("--sure", save.drawing.sure, 0, 1, "Regions of a lower mean probability are hatched");
  }
  void resolve() {
    if (write.empty()) write = {"overlay", "mask", "probability"};
    for (const std::string& w : write)
      check(std::find(kWritten.begin(), kWritten.end(), w) != kWritten.end(),
            "--write: expected overlay, mask, probability, nifti, seg, sc or sr, got '", w, "'");
    check(deidentify || key_file.empty(), "--key-file: there is a key only with --deidentify");
    check(deidentify || !save.allow_burned_in, "--allow-burned-in: nothing is withheld without --deidentify");
    const auto wanted = [&](const char* what) { return std::find(write.begin(), write.end(), what) != write.end(); };
    save.overlay = wanted("overlay"), save.mask = wanted("mask"), save.probability = wanted("probability"),
    save.nifti = wanted("nifti"), save.segmentation = wanted("seg"), save.capture = wanted("sc"), save.report = wanted("sr");
    for (const std::string& map : split_patterns(maps)) {
      if (map == kGradCams) run.grad_cam = true;
      else if (map == kSpreads) run.spread = save.uncertainty = true;
      else patterns.push_back(map == kGates ? kGateTaps : map);
    }
    if (!patterns.empty()) run.keep = fmt::format("{{{}}}", fmt::join(patterns, ","));
  }
  ImageStack::Options stack() const {
    ImageStack::Options o;
    o.automatic_window = window == "auto";
    if (!window.empty()) o.window = parse_window(window);
    o.spacing = parse_spacing(spacing);
    return o;
  }
  nlohmann::json json() const {
    return {{"command", "highlight"},
            {"window", window},
            {"spacing", spacing},
            {"maps", maps},
            {"write", write},
            {"threshold", threshold},
            {"sure", save.drawing.sure},
            {"tile", run.window},
            {"opacity", save.drawing.opacity},
            {"flips", run.flips},
            {"samples", run.samples},
            {"seed", run.seed},
            {"fractional", save.fractional},
            {"apart", apart},
            {"force", force},
            {"deidentify", deidentify},
            {"key", save.key ? save.key->fingerprint() : ""},
            {"allow_burned_in", save.allow_burned_in}};
  }
};

class Highlighting final : public Operation {
 public:
  void add_options(OptionList& o) override { settings_.add_options(o); }
  void open(Model model, const Run& run) override {
    settings_.resolve();
    settings_.stack();
    settings_.run.precision = precision_ = run.precision;
    rules_ = highlight_head(model).rules();
    if (settings_.threshold >= 0) std::fill(rules_.thresholds.begin(), rules_.thresholds.end(), settings_.threshold);
    settings_.run.thresholds = rules_.thresholds;
    for (const std::string& pattern : settings_.patterns) map_layers(model, pattern);
    const Yaml recipe = Yaml::parse(model.recipe(), "recipe");
    accepts_ = read_accepts(recipe);
    settings_.save.codes = read_codes(recipe, model.classes());
    settings_.save.model = model.name();
    if (settings_.deidentify) settings_.save.key = key_ = std::make_shared<KeyFile>(key_file_of(run.out, settings_.key_file));
    highlighter_ = std::make_shared<const Highlighter>(std::move(model), settings_.run);
  }
  const Model& model() const override { return highlighter_->model(); }
  bool runs_only() const override { return model().preprocess().resize != Preprocess::Resize::none && highlighter_->runs_only(); }
  nlohmann::json settings() const override { return settings_.json(); }
  bool takes_scans() const override { return true; }
  bool takes_streams() const override { return true; }
  void add_stream_options(OptionList& o) override { settings_.add_stream_options(o); }
  std::unique_ptr<FrameAnalyzer> analyzer(bool maps) const override {
    HighlightOptions run = settings_.run;
    if (maps && run.keep.empty() && has_gates()) run.keep = kGateTaps;
    return highlight_analyzer(std::make_shared<const Highlighter>(model(), run), rules_, settings_.save.drawing);
  }
  InputMapping mapping() const override {
    InputMapping mapping = settings_.apart ? InputMapping{} : series_mapping();
    mapping.aliases = key_;
    return mapping;
  }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadStack>(settings_.stack(), accepts_, settings_.force), jobs.load, 1});
    auto pictures = std::make_unique<HighlightStack>(highlighter_, rules_, accepts_);
    StreamOutputs outputs{.files = true, .drawn = settings_.save.overlay, .maps = highlighter_->maps(), .limit = 0};
    auto both = std::make_unique<AnalyzeStreams>(
        std::move(pictures), [this] { return analyzer(false); }, outputs);
    stages.push_back({std::move(both), jobs.process, jobs.threads});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    settings_.save.seed = settings_.json().dump() + model().fingerprint() + std::string(name_of(precision_)) + FOVEA_VERSION;
    stages.push_back(
        {std::make_unique<SaveHighlights>(model().classes(), rules_.objects, precision_, settings_.save), jobs.save, 1});
    return stages;
  }
  void check_answer(const fs::path& output) const override { class_totals(output); }
  std::vector<fs::path> finish(const fs::path& out, const Ledger& ledger, bool) override {
    withheld_ = count_withheld(ledger);
    return write_regions(out, ledger);
  }
  ReportParts report() const override {
    return {.title = "Fovea highlight", .extra = std::string("<p><strong>") + kResearchOnly + ".</strong></p>\n"};
  }
  std::string article(const fs::path& out, const Record& record) const override { return highlighted_article(out, record); }
  std::string done_text() const override { return "highlighted"; }
  void add_to_summary(nlohmann::ordered_json& summary) const override {
    if (!key_) return;
    put_name(summary, "key_file", key_->file().string());
    summary["withheld"] = withheld_;
  }
  std::vector<std::string> summary_lines() const override {
    std::vector<std::string> lines{kResearchOnly};
    if (withheld_ > 0)
      lines.push_back(
          fmt::format("{} without overlays: text may be burned into the pixels; --allow-burned-in writes them", withheld_));
    if (key_)
      lines.push_back("key:      " + key_->file().string() + " tells whose the results are: it must not go where they go");
    return lines;
  }

 private:
  // Whether the network has gates of positions that can be shown.
  bool has_gates() const {
    const Glob gates(kGateTaps);
    const auto layers = explain::layers_of(explained(model()), {1, model().channels(), kTraced, kTraced});
    return std::any_of(layers.begin(), layers.end(), [&](const explain::Layer& l) { return gates.matches(l.name); });
  }
  Settings settings_;
  DType precision_ = DType::f32;
  RegionRules rules_;
  Accepts accepts_;
  std::shared_ptr<const Highlighter> highlighter_;
  std::shared_ptr<KeyFile> key_;
  std::size_t withheld_ = 0;
};

}  // namespace

std::unique_ptr<Operation> highlight_operation() { return std::make_unique<Highlighting>(); }

}  // namespace fovea
