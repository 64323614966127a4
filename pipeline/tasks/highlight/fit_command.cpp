#include "pipeline/tasks/highlight/fit_command.hpp"

#include <fmt/format.h>

#include <cmath>

#include "modules/license.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/tasks/highlight/answer.hpp"
#include "pipeline/tasks/highlight/fit_normal.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kExamples =
    R"(Of each place on the normal pictures the features of a backbone are taken, behind its attention, and as many of them are kept as --vectors says, those that lie farthest
from each other (PatchCore, Roth et al. 2022, arXiv:2106.08265). What lies far from all of them is an anomaly. The limit, at which the
probability is 0.5, is set on the normal pictures themselves, each judged without what came from it, so that a share of --false-alarms of them exceeds it.
The model is for `fovea highlight`: maps, masks, regions and a score of each picture; and for `fovea eval MODEL --data DIR`, where DIR has folders normal/ and
anomalous/ (or several, one for each kind), or images/ and masks/anomaly/. Research use only, not for diagnosis.

Examples:
  fovea fit-normal good/ -o screws.safetensors
  fovea fit-normal good/ -o screws.safetensors --size 320 --vectors 4000 --metadata 'data_license=CC0-1.0: ours'
  fovea highlight new/ --model screws.safetensors -o found --report
Exit codes: 0 done, 3 done but some pictures were left out (with --strict: or skipped), 64 wrong usage, 75 stopped: nothing was written.)";

License license_among(std::map<std::string, std::string>& metadata) {
  const License license = license_in(metadata);
  for (const auto& [key, value] : license_metadata(license)) metadata.erase(key);
  return license;
}

class FitCommand final : public TaskCommand {
 public:
  std::string name() const override { return "fit-normal"; }
  std::string text() const override { return "Make a model that highlights anomalies from normal pictures alone"; }
  std::string examples() const override { return kExamples; }
  void add_options(OptionList& o) override {
    o.words("INPUT", inputs_, "Normal pictures and scans: files, folders, patterns");
    o.require();
    o.output_file("-o,--out", out_, "File to write");
    o.require();
    o.word("--backbone", backbone_, "Model whose backbone gives the features: a zoo name or a .safetensors file");
    o.words("--features", options_.features, "Feature maps of the backbone (default: the last of stride 8 and of stride 16)");
    o.integer("--size", options_.size, 0, 4096, "Fit pictures into so many pixels a side; 0: as they are");
    o.integer("--vectors", options_.vectors, 1, 65536, "In the model's memory, at most");
    o.integer("--patches", options_.patches, 100, 20'000'000, "That they are chosen from, at most; of more a random sample");
    o.number("--smooth", options_.smooth, 0, 8, "Deviation of the Gaussian over the distances, in cells of the finest feature");
    o.number("--false-alarms", options_.false_alarms, 0, 1, "Share of the normal pictures that may show an anomaly");
    o.integer("--seed", seed_, 0, INT32_MAX, "Of the choice");
    o.word("--storage", storage_, "f32, or f16 for half the size", {"f16", "f32"});
    o.words(
        "--metadata", metadata_,
        "key=value, for example license=Apache-2.0 'data_license=CC0-1.0: ours': the terms of the memory and of the pictures; "
        "those of the backbone are added");
  }
  bool run(Progress& progress, const std::atomic<bool>& stop) override {
    std::map<std::string, std::string> metadata = read_metadata(metadata_);
    const Model network = Model::load(backbone_);
    const NormalInputs inputs = normal_inputs(inputs_, left_out_);
    if (inputs.size() < 2)
      throw UsageError(fmt::format("fit-normal: expected at least two normal pictures, found {}{}", inputs.size(),
                                   left_out_.empty() ? "" : "; the first that was left out: " + left_out_.front().reason));
    options_.seed = static_cast<std::uint64_t>(seed_);
    const auto fit = fit_normal(network, inputs, options_, left_out_, progress, stop);
    if (!fit) return false;
    const License license = derived(license_among(metadata), license_of(network));
    metadata.merge(license_metadata(license));
    fit->model.save(out_, storage_ == "f16" ? DType::f16 : DType::f32, metadata);
    tell(*fit);
    return true;
  }
  std::string table() const override {
    return fmt::format(
        "{}: {} vectors of {} patches on {} pictures; {} bytes\nnormal: distances around {:.4g}, anomalous from {:.4g}\n{}\n",
        out_, json_["vectors"].get<std::int64_t>(), json_["patches"].get<std::int64_t>(), json_["pictures"].get<int>(),
        json_["bytes"].get<std::uintmax_t>(), std::exp(json_["mean"].get<double>()), json_["limit"].get<double>(), kResearchOnly);
  }
  nlohmann::ordered_json json() const override { return json_; }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  void tell(const NormalFit& fit) {
    json_ = {{"pictures", fit.pictures}, {"patches", fit.patches}, {"vectors", fit.vectors},      {"mean", fit.mean},
             {"spread", fit.spread},     {"limit", fit.limit},     {"bytes", fs::file_size(out_)}};
  }

  std::vector<std::string> inputs_, metadata_;
  std::string out_, backbone_ = "photo-cbam", storage_ = "f32";
  FitNormalOptions options_;
  int seed_ = 0;
  std::vector<BadFile> left_out_;
  nlohmann::ordered_json json_;
};

}  // namespace

std::unique_ptr<TaskCommand> fit_command() { return std::make_unique<FitCommand>(); }

}  // namespace fovea
