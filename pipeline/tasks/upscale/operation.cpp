#include "pipeline/tasks/upscale/operation.hpp"

#include <fmt/format.h>

#include <charconv>

#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/upscale/article.hpp"
#include "pipeline/tasks/upscale/stages.hpp"

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
    o.flag("--self-ensemble", options_.self_ensemble, "Mean over 8 flips and rotations: a little better, 8 times slower");
  }
  bool needs_model() const override { return false; }
  std::string default_model() const override {
    check(scale_ > 0, "expected --scale N or --model NAME");
    check(scale_ >= 2 && scale_ <= 4, "--scale: expected 2, 3 or 4, got ", scale_,
          "; another one needs a --model that was trained for it");
    return fmt::format("upscale-x{}", scale_);
  }
  void open(Model model, const Run& run) override {
    model_ = std::move(model);
    options_.tile = parse_tile(tile_);
    options_.precision = run.precision;
    options_.maps = !maps_.empty();
    factor_ = upscale_facts(model_).scale;
    check(scale_ == 0 || scale_ == factor_, "--scale ", scale_, ": the model ", model_.name(), " makes images ", factor_,
          " times larger");
    backend_ = upscale_backend(model_);
  }
  const Model& model() const override { return model_; }
  nlohmann::json settings() const override {
    return {{"command", "upscale"}, {"scale", factor_},      {"format", format_},
            {"quality", quality_},  {"tile", options_.tile}, {"self_ensemble", options_.self_ensemble},
            {"maps", maps_}};
  }
  std::string output_format() const override { return format_; }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
    stages.push_back({std::make_unique<SuperResolve>(backend_, options_), jobs.process, jobs.threads});
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
    facts.insert(facts.begin() + 1, {"scale", fmt::format("{}x", factor_)});
    facts.insert(facts.begin() + 3, {"arithmetic", fmt::format("{:.0f} billion multiply-adds for a megapixel of input", giga)});
    return facts;
  }
  std::string done_text() const override { return fmt::format("upscaled {}x", factor_); }
  void add_to_summary(nlohmann::ordered_json& json) const override { json["scale"] = factor_; }

 private:
  Model model_;
  UpscaleBackend backend_;
  UpscaleOptions options_;
  int scale_ = 0, factor_ = 0, quality_ = 95;
  std::string format_ = "same", tile_ = "auto", maps_;
};

}  // namespace

std::unique_ptr<Operation> upscale_operation() { return std::make_unique<Upscale>(); }

}  // namespace fovea
