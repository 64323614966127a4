#include "pipeline/tasks/upscale/operation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/upscale/article.hpp"
#include "pipeline/tasks/upscale/stages.hpp"
#include "pipeline/tasks/upscale/strength.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

int parse_tile(const std::string& text) {
  if (text == "auto") return -1;
  int side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  check(error == std::errc() && end == text.data() + text.size() && side >= 0,
        "--tile: expected auto, 0 (the whole image) or a side in pixels, got '", text, "'");
  return side;
}

class Upscale final : public Operation {
 public:
  void add_options(OptionList& o) override {
    o.integer("-s,--scale", scale_, 1, 16, "How many times larger: 2, 3 or 4");
    o.word("--format", format_, "png, jpg, tif, bmp, webp, or same as the input", {"png", "jpg", "tif", "bmp", "webp", "same"});
    o.integer("--quality", quality_, 1, 100, "Of JPEG and WebP, 1 to 100");
    o.word("--tile", tile_, "Side of the tiles in input pixels; 0: whole images; auto: tiles for large images");
    o.optional_word("--maps", maps_,
                    "Write the model's attention beside each output: an overlay and the values, as 16-bit png or npy",
                    {"png", "npy"});
    o.number(
        "--denoise", denoise_, 0, 1,
        "How much of noise, blur and JPEG's artefacts to undo, from 0 to 1, by a model that has learnt it: photo-x2, photo-x4 or "
        "--model. Without it JPEG files go to such a model at 0.85, all others to one that keeps every detail");
    o.hide_default();
    o.flag("--self-ensemble", options_.self_ensemble, "Mean over 8 flips and rotations: a little better, 8 times slower");
  }
  bool needs_model() const override { return false; }
  std::string default_model() override {
    check(scale_ > 0, "expected --scale N or --model NAME");
    check(scale_ >= 2 && scale_ <= 4, "--scale: expected 2, 3 or 4, got ", scale_,
          "; another one needs a --model that was trained for it");
    const std::string photo = fmt::format("photo-x{}", scale_);
    const auto zoo = Model::zoo();
    const bool there = std::find(zoo.begin(), zoo.end(), photo) != zoo.end();
    if (denoise_ != kByFormat) {
      check(there, "--denoise: no model for it makes images ", scale_, " times larger; expected --scale 2 or 4, or --model NAME");
      return photo;
    }
    if (there) for_jpeg_ = with_strength(Model::load(photo), kUsualStrength);
    return fmt::format("upscale-x{}", scale_);
  }
  bool runs_only() const override { return denoise_ == kByFormat || denoise_ == 1; }  // others are of no file
  void open(Model model, const Run& run) override {
    model_ = denoise_ == kByFormat ? std::move(model) : with_strength(model, denoise_);
    options_.tile = parse_tile(tile_);
    options_.precision = run.precision;
    options_.maps = !maps_.empty();
    factor_ = upscale_facts(model_).scale;
    check(scale_ == 0 || scale_ == factor_, "--scale ", scale_, ": the model ", model_.name(), " makes images ", factor_,
          " times larger");
    backend_ = upscale_backend(model_);
    if (for_jpeg_) backend_for_jpeg_ = upscale_backend(*for_jpeg_);
  }
  const Model& model() const override { return model_; }
  nlohmann::json settings() const override {
    nlohmann::json all = {{"command", "upscale"}, {"scale", factor_},      {"format", format_},
                          {"quality", quality_},  {"tile", options_.tile}, {"self_ensemble", options_.self_ensemble},
                          {"maps", maps_}};
    if (denoise_ != kByFormat) all["denoise"] = denoise_;
    if (for_jpeg_) all["model_for_jpeg"] = for_jpeg_->name(), all["weights_for_jpeg"] = for_jpeg_->fingerprint();
    return all;
  }
  std::string output_format() const override { return format_; }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
    stages.push_back({std::make_unique<SuperResolve>(backend_, options_, backend_for_jpeg_), jobs.process, jobs.threads});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs& jobs) override {
    EncodeOptions encode;
    encode.jpeg_quality = encode.webp_quality = quality_;
    std::vector<StageSpec> stages;
    if (options_.maps)
      stages.push_back({std::make_unique<SaveMaps>(maps_ == "npy" ? MapFormat::npy : MapFormat::png), jobs.save, 1});
    stages.push_back({std::make_unique<SaveImage>(encode), jobs.save, 1});
    return stages;
  }
  ReportParts report() const override { return {.title = "Fovea upscale"}; }
  std::string article(const fs::path& out, const Record& record) const override { return upscaled_article(out, record); }
  std::vector<std::pair<std::string, std::string>> facts() const override {
    auto facts = Operation::facts();
    constexpr double kSide = 256;
    const double giga = static_cast<double>(model_.multiply_adds({1, 3, 256, 256})) / (kSide * kSide) * 1e6 / 1e9;
    std::vector<std::pair<std::string, std::string>> own;
    if (for_jpeg_) own.emplace_back("model for JPEG files", jpeg_text());
    if (denoise_ != kByFormat) own.emplace_back("denoise", fmt::format("{:g}", denoise_));
    own.emplace_back("scale", fmt::format("{}x", factor_));
    own.emplace_back("arithmetic", fmt::format("{:.0f} billion multiply-adds for a megapixel of input", giga));
    facts.insert(facts.begin() + 1, own.begin(), own.end());
    return facts;
  }
  std::string done_text() const override { return fmt::format("upscaled {}x", factor_); }
  void add_to_summary(nlohmann::ordered_json& json) const override {
    json["scale"] = factor_;
    if (for_jpeg_) json["model_for_jpeg"] = for_jpeg_->name();
  }
  std::vector<std::string> summary_lines() const override {
    if (!for_jpeg_) return {};
    return {"JPEG files: " + jpeg_text()};
  }

 private:
  std::string jpeg_text() const { return fmt::format("{}, denoise {:g}", for_jpeg_->name(), kUsualStrength); }

  static constexpr double kByFormat = -1;  // no strength was asked for
  // For JPEG files of any quality. At 1 those of quality 95 lose 0.1 dB more of their detail, and those of 50 gain 0.05.
  static constexpr double kUsualStrength = 0.85;

  Model model_;
  std::optional<Model> for_jpeg_;  // where the file's format chooses
  UpscaleBackend backend_;
  std::optional<UpscaleBackend> backend_for_jpeg_;
  double denoise_ = kByFormat;
  UpscaleOptions options_;
  int scale_ = 0, factor_ = 0, quality_ = 95;
  std::string format_ = "same", tile_ = "auto", maps_;
};

}  // namespace

std::unique_ptr<Operation> upscale_operation() { return std::make_unique<Upscale>(); }

}  // namespace fovea
