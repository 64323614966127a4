#include "pipeline/tasks/upscale/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/metrics/image_quality.hpp"
#include "pipeline/answer_pairs.hpp"
#include "pipeline/tasks/upscale/strength.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

nlohmann::ordered_json to_json(const EvalRow& r) {
  return {{"image", r.image},
          {"psnr_y", r.psnr},
          {"ssim_y", r.ssim},
          {"bicubic_psnr_y", r.bicubic_psnr},
          {"bicubic_ssim_y", r.bicubic_ssim}};
}

std::string line(const EvalRow& r) {
  return fmt::format("{:<28} {:>8.2f} {:>8.4f} {:>9.2f} {:>9.4f}\n", r.image, r.psnr, r.ssim, r.bicubic_psnr, r.bicubic_ssim);
}

// What the reader of a table must know of scores at the bound.
std::string capped_note(const std::vector<EvalRow>& rows, const char* whose) {
  const auto capped = std::count_if(rows.begin(), rows.end(), [](const EvalRow& r) { return r.psnr >= kMostPsnr; });
  if (capped == 0) return "";
  return fmt::format("{} of the {} images {} met exactly{}: PSNR without bound counts as {:.0f} dB\n", capped, rows.size(),
                     capped == 1 ? "is" : "are", whose, kMostPsnr);
}

class UpscaleEvaluator final : public Evaluator {
 public:
  std::string data_text() const override { return "folders with x2/HR, x2/LR ... inside, or photographs"; }
  void add_options(OptionList& o) override {
    o.flag("--self-ensemble", options_.self_ensemble, "Mean over 8 flips and rotations");
    o.number("--denoise", denoise_, 0, 1, "Strength of a model that learnt to undo noise and JPEG's artefacts");
  }
  void open(const Model& model, const std::vector<fs::path>& data, DType precision) override {
    model_ = denoise_ < 1 ? with_strength(model, denoise_) : model;
    options_.tile = 0;
    options_.precision = precision;
    scale_ = upscale_facts(model).scale;
    for (const fs::path& folder : data) sets_.push_back(load_eval_set(folder, scale_));
    check(!sets_.empty(), "expected folders with x", scale_, "/HR and x", scale_, "/LR inside, or of photographs");
  }
  std::string title() const override {
    return fmt::format("{}: x{}, {} parameters, {}{}{}", model_.name(), scale_, model_.params()->count(),
                       name_of(options_.precision), denoise_ < 1 ? fmt::format(", denoise {:g}", denoise_) : "",
                       options_.self_ensemble ? ", self-ensemble" : "");
  }
  std::int64_t batches() const override { return static_cast<std::int64_t>(sets_.size()); }
  void add(std::int64_t batch) override {
    const EvalSet& set = sets_.at(static_cast<std::size_t>(batch));
    tables_.emplace_back(set.name, measure_upscaling(model_, set, options_));
  }
  double score() const override { return tables_.at(0).second.mean().psnr; }
  std::string table() const override {
    std::string text;
    for (const auto& [name, table] : tables_) {
      text += fmt::format("{:<28} {:>8} {:>8} {:>9} {:>9}\n", name, "PSNR-Y", "SSIM-Y", "(bicubic", "SSIM-Y)");
      for (const EvalRow& r : table.rows) text += line(r);
      text += line(table.mean()) + capped_note(table.rows, " by the model");
    }
    return text;
  }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all{{"scale", scale_}, {"self_ensemble", options_.self_ensemble}};
    for (const auto& [name, table] : tables_) {
      for (const EvalRow& r : table.rows) all["sets"][name]["images"].push_back(to_json(r));
      all["sets"][name]["mean"] = to_json(table.mean());
    }
    return all;
  }
  std::vector<BadFile> left_out() const override {
    std::vector<BadFile> all;
    for (const EvalSet& set : sets_) all.insert(all.end(), set.left_out.begin(), set.left_out.end());
    return all;
  }

 private:
  Model model_;
  double denoise_ = 1;
  UpscaleOptions options_;
  int scale_ = 0;
  std::vector<EvalSet> sets_;
  std::vector<std::pair<std::string, EvalTable>> tables_;
};

class PictureScorer final : public AnswerScorer {
 public:
  std::string name() const override { return "pictures"; }
  std::string text() const override {
    return "PSNR and SSIM of images that were written, against the true ones of the same names";
  }
  void add_options(OptionList& o) override {
    o.word("ANSWERS", answers_, "Folder of the images to score");
    o.require();
    o.word("TRUTH", truth_, "Folder of the true images, of the same names whatever their extension");
    o.require();
    o.integer("--border", border_, 0, 64, "Pixels at each edge that are left out: the scale, by custom");
  }
  void run() override {
    for (const AnswerPair& pair : answer_pairs(answers_, truth_, left_out_)) {
      cv::Mat got, want;
      try {
        got = read_image(pair.answer).pixels, want = read_image(pair.truth).pixels;
      } catch (const std::exception& e) {
        left_out_.push_back(bad_file(pair.truth, e));
        continue;
      }
      check(got.size() == want.size(), pair.name, ": expected ", want.cols, "x", want.rows, " pixels, got ", got.cols, "x",
            got.rows);
      rows_.push_back({pair.name, psnr_y(got, want, border_), ssim_y(got, want, border_), 0, 0});
    }
    check(!rows_.empty(), truth_, ": no pair of images can be read; the first reason: ", left_out_.front().reason);
  }
  std::string table() const override {
    std::string text = fmt::format("{:<28} {:>8} {:>8}\n", "image", "PSNR-Y", "SSIM-Y");
    for (const EvalRow& r : all()) text += fmt::format("{:<28} {:>8.2f} {:>8.4f}\n", r.image, r.psnr, r.ssim);
    return text + capped_note(rows_, "");
  }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json out;
    for (const EvalRow& r : rows_) out["images"].push_back({{"image", r.image}, {"psnr_y", r.psnr}, {"ssim_y", r.ssim}});
    const EvalRow mean = all().back();
    out["mean"] = {{"psnr_y", mean.psnr}, {"ssim_y", mean.ssim}};
    return out;
  }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  std::vector<EvalRow> all() const {
    std::vector<EvalRow> rows = rows_;
    rows.push_back(EvalTable{"", rows_}.mean());
    return rows;
  }

  std::string answers_, truth_;
  int border_ = 0;
  std::vector<EvalRow> rows_;
  std::vector<BadFile> left_out_;
};

}  // namespace

EvalTable measure_upscaling(const Model& model, const EvalSet& set, const UpscaleOptions& options) {
  return evaluate_upscaling(set, upscale_facts(model).scale, [&](const cv::Mat& low) {
    return upscale_image(model, Image{low, low.channels() == 1, {}}, options).image.pixels;
  });
}

std::unique_ptr<Evaluator> upscale_evaluator() { return std::make_unique<UpscaleEvaluator>(); }
std::unique_ptr<AnswerScorer> picture_scorer() { return std::make_unique<PictureScorer>(); }

}  // namespace fovea
