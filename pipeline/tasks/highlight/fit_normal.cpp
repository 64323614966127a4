#include "pipeline/tasks/highlight/fit_normal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "datasets/metrics/resamples.hpp"
#include "datasets/scans/stack_reader.hpp"
#include "modules/core/fingerprint.hpp"
#include "modules/io/files.hpp"
#include "pipeline/tasks/highlight/coreset.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "pipeline/tasks/highlight/normal_recipe.hpp"
#include "pipeline/tasks/highlight/patch_sample.hpp"
#include "pipeline/tasks/highlight/series.hpp"
#include "pipeline/tasks/highlight/view.hpp"
#include "pipeline/tasks/highlight/whitening.hpp"
#include "pipeline/tasks/highlight/windows.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kProjected = 128;  // values of a vector while the memory is chosen
constexpr std::int64_t kMostValues = std::int64_t{64}
                                     << 20;  // of all patches that are kept: 256 MiB, of which there are a few copies
constexpr double kRounding = 1e-3;           // what f32 leaves of the distance of equal vectors, a channel
constexpr double kLeastSpread = 0.01;        // of logarithms
constexpr const char *kFeatures = "head.features", *kMemory = "head.memory";

// What is known of an input that can be used.
struct Used {
  const Input* input;
  std::string content;  // fingerprint
};

std::shared_ptr<const ImageStack> stack_of(const Input& input) {
  return std::make_shared<const ImageStack>(input.files(), std::nullopt, ImageStack::Options{});
}

std::string content_of(const Input& input) {
  std::string all;
  for (const fs::path& file : input.files()) {
    const auto bytes = read_file(file);
    all += fingerprint({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return all;
}

class Fitting {
 public:
  Fitting(const Model& network, const FitNormalOptions& options, Progress& progress, const std::atomic<bool>& stop)
      : network_(network), options_(options), progress_(progress), stop_(stop) {
    recipe_.features = options.features.empty() ? middle_features(network) : options.features;
    recipe_.size = options.size, recipe_.smooth = options.smooth;
    model_.emplace(with_backbone({}));
    const std::int64_t channels = model_->params()->find("head.mean")->value.dim(0);
    most_ = std::clamp(kMostValues / channels, std::int64_t{1}, options.patches);
    sample_.emplace(channels, most_, options.seed);
  }

  // False where it was stopped.
  bool see(const NormalInputs& inputs, std::vector<BadFile>& left_out) {
    for (const Input& input : inputs) {
      if (stop_) return false;
      try {
        if (!see(input)) return false;
      } catch (const std::exception& e) {
        left_out.push_back(bad_file(input.file, e));
        progress_.quarantined(input.source, left_out.back().reason);
      }
    }
    check(used_.size() >= 2, "fit-normal: expected at least two normal pictures, got ", used_.size(),
          ": how far normal ones are from each other could not be told");
    return true;
  }
  bool choose() {
    if (sample_->seen() > most_)
      progress_.note("memory", fmt::format("chosen from {} of {} patches", sample_->size(), sample_->seen()));
    const std::vector<int> pictures = sample_->pictures();
    Tensor rows = sample_->rows();
    sample_.reset();
    const Whitening whitening = whitening_of(rows);
    rows = whitening(rows);
    const auto chosen = k_center(random_projection(rows, kProjected, options_.seed), options_.vectors, options_.seed,
                                 [&](double share) { return progress_.advance("memory", share), !stop_; });
    if (chosen.empty()) return false;
    const std::int64_t channels = rows.dim(1);
    memory_ = Tensor::empty({static_cast<std::int64_t>(chosen.size()), channels, 1, 1}, DType::f32, Layout::row_major);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      std::copy_n(rows.data<float>() + chosen[i] * channels, channels,
                  memory_.data<float>() + static_cast<std::int64_t>(i) * channels);
      from_.push_back(pictures[static_cast<std::size_t>(chosen[i])]);
    }
    buffers_ = {{kMemory, memory_},
                {"head.mean", whitening.mean},
                {"head.whiten", whitening.weights.reshape({channels, channels, 1, 1})}};
    recipe_.vectors = memory_.dim(0);
    return true;
  }
  // By a head whose mean is 0 and spread 1: its second output is the logarithm itself.
  bool calibrate() {
    model_.emplace(with_backbone(buffers_));
    const Highlighter highlighter(*model_, {});
    std::vector<double> most;  // of each picture
    double count = 0, sum = 0, squares = 0;
    for (std::size_t i = 0; i < used_.size(); ++i) {
      progress_.advance("calibration", static_cast<double>(i) / static_cast<double>(used_.size()));
      if (!forget(static_cast<int>(i))) continue;
      const auto stack = stack_of(*used_[i].input);
      StackReader reader(stack, model_->preprocess());
      for (int k = 0; k < stack->size(); ++k) {
        if (stop_) return false;
        const cv::Mat logs = highlighter(reader.values(k)).distances.at(0);
        double largest = 0;
        cv::minMaxLoc(logs, nullptr, &largest);
        most.push_back(largest);
        count += static_cast<double>(logs.total()), sum += cv::sum(logs)[0], squares += logs.dot(logs);
      }
    }
    check(!most.empty(), "fit-normal: the pictures are all alike: nothing says how far apart normal ones may be");
    std::sort(most.begin(), most.end());
    recipe_.mean = sum / count;
    recipe_.spread = std::max(kLeastSpread, std::sqrt(std::max(0.0, squares / count - recipe_.mean * recipe_.mean)));
    const double least = kRounding * std::sqrt(static_cast<double>(memory_.dim(1)));
    recipe_.limit = std::max(least, std::exp(std::max(recipe_.mean + recipe_.spread, quantile(most, 1 - options_.false_alarms))));
    return true;
  }
  NormalFit result() {
    std::string contents;
    for (const Used& u : used_) contents += u.content;
    recipe_.fitted = {{"pictures", std::to_string(pictures_)},
                      {"patches", std::to_string(patches_)},
                      {"content", fingerprint(contents)},
                      {"seed", std::to_string(options_.seed)},
                      {"false_alarms", fmt::format("{}", options_.false_alarms)},
                      {"weights", network_.fingerprint()}};
    return {with_backbone(buffers_), pictures_, patches_, recipe_.vectors, recipe_.mean, recipe_.spread, recipe_.limit};
  }

 private:
  // A model of the recipe as it stands.
  Model with_backbone(const std::map<std::string, Tensor>& buffers) const {
    Model made = Model::from_recipe(Yaml::parse(normal_recipe(network_, recipe_), network_.name()));
    std::map<std::string, Tensor> values = made.params()->values();
    for (const auto& [name, value] : network_.params()->values())
      if (name.starts_with("backbone.")) values.insert_or_assign(name, value);
    for (const auto& [name, value] : buffers) values.insert_or_assign(name, value);
    made.params()->load(values);
    return made;
  }
  bool see(const Input& input) {
    const std::string content = content_of(input);
    const auto stack = stack_of(input);
    // An input counts as a whole: of one that ends in the middle no part is taken.
    for (int k = 0; stack->size() > 1 && k < stack->size(); ++k) stack->read(k);
    StackReader reader(stack, model_->preprocess());
    for (int k = 0; k < stack->size(); ++k) {
      if (stop_) return false;
      take(NetworkView(reader.values(k), model_->preprocess(), stride_of(*model_), highlight_head(*model_).rules().margin, 0,
                       HighlightOptions{}.overlap));
      ++pictures_;
    }
    used_.push_back({&input, content});
    Frame frame;
    frame.source = input.source;
    progress_.done(frame);
    return true;
  }
  // The vectors of the places that show the picture, and are not at the edge of a window behind which it goes on.
  void take(const NetworkView& view) {
    const cv::Rect content = view.geometry.content + view.inside().tl();
    for (const cv::Rect& window : view.input.windows) {
      const Model::Result r = model_->run(view.input.part(window), {.keep = kFeatures});
      const Tensor patches = r.taps.at(0).value.contiguous(Layout::channels_last);
      const cv::Mat weights = blending_weights(window, view.input.size(), view.input.overlap);
      const std::int64_t rows = patches.dim(2), columns = patches.dim(3), channels = patches.dim(1);
      for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < columns; ++x) {
          const cv::Point middle(static_cast<int>((2 * x + 1) * window.width / (2 * columns)),
                                 static_cast<int>((2 * y + 1) * window.height / (2 * rows)));
          if (content.contains(middle + window.tl()) && weights.at<float>(middle) > 0)
            sample_->add(patches.data<float>() + (y * columns + x) * channels, static_cast<int>(used_.size())), ++patches_;
        }
    }
  }
  // Another picture's vector stands where one of this picture's is. False where there is none.
  bool forget(int picture) {
    const auto other = std::find_if(from_.begin(), from_.end(), [&](int p) { return p != picture; });
    if (other == from_.end()) return false;
    Tensor left = memory_.clone();
    const std::int64_t channels = memory_.dim(1);
    for (std::size_t i = 0; i < from_.size(); ++i)
      if (from_[i] == picture)
        std::copy_n(memory_.data<float>() + (other - from_.begin()) * channels, channels,
                    left.data<float>() + static_cast<std::int64_t>(i) * channels);
    model_->params()->load({{kMemory, left}}, false);
    return true;
  }

  const Model& network_;
  FitNormalOptions options_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  NormalRecipe recipe_;
  std::optional<Model> model_;
  std::int64_t most_ = 0, patches_ = 0;
  std::optional<PatchSample> sample_;
  std::vector<Used> used_;
  Tensor memory_;
  std::vector<int> from_;  // which of used_ each vector of the memory is of
  std::map<std::string, Tensor> buffers_;
  int pictures_ = 0;
};

}  // namespace

NormalInputs normal_inputs(const std::vector<std::string>& arguments, std::vector<BadFile>& left_out) {
  Inputs all(arguments, {}, nullptr, false, true);
  const auto series_of = series_mapping().group;
  NormalInputs inputs;
  std::map<fs::path, std::size_t> known;
  while (auto input = all.next()) {
    if (!input->problem.empty()) {
      left_out.push_back({input->file, input->problem, input->fault});
      continue;
    }
    const fs::path series = series_of(*input);
    const bool alone = series == input->relative;
    const auto [at, fresh] = known.emplace(
        alone ? fs::absolute(input->file).lexically_normal() : input->file.parent_path() / series.filename(), inputs.size());
    if (fresh) inputs.push_back(std::move(*input));
    if (fresh || alone) continue;  // a file that is given twice counts once
    Input& group = inputs[at->second];
    if (group.members.empty()) group.members = {group.file};
    group.members.push_back(input->file);
  }
  return inputs;
}

std::optional<NormalFit> fit_normal(const Model& network, const NormalInputs& inputs, const FitNormalOptions& options,
                                    std::vector<BadFile>& left_out, Progress& progress, const std::atomic<bool>& stop) {
  Fitting fitting(network, options, progress, stop);
  progress.start(inputs.size());
  const bool whole = fitting.see(inputs, left_out) && fitting.choose() && fitting.calibrate();
  progress.stop();
  if (!whole) return std::nullopt;
  return fitting.result();
}

}  // namespace fovea
