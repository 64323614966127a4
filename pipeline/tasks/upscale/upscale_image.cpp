#include "pipeline/tasks/upscale/upscale_image.hpp"

#include <algorithm>
#include <utility>

#include "modules/core/error.hpp"
#include "pipeline/stages/tiles.hpp"
#include "pipeline/tasks/upscale/pixels.hpp"
#include "pipeline/tasks/upscale/window_runner.hpp"

namespace fovea {
namespace {

// Bytes of working memory for one run. Whole pictures are worth more of it where a network has statistics of the whole, which tiles share
// as samples give them: within a level of 8 bits of the whole picture, and A2N's 40 channels still take 580 x 580 pixels at once.
constexpr std::size_t kBudget = std::size_t{512} << 20, kBudgetForStatistics = std::size_t{1} << 30;
constexpr int kSampleSide = 128, kSamples = 16;

// One image on its way through the network.
class Upscaling {
 public:
  Upscaling(const UpscaleBackend& backend, const Image& input, const UpscaleOptions& options)
      : facts_(backend.facts),
        input_(input),
        options_(options),
        runner_(backend, options),
        output_{enlarged_like(input, backend.facts.scale), {}},
        whole_({0, 0}, input.pixels.size()) {
    transparent_ = !alpha_range(input, whole_).opaque();
    cv::Size core = whole_.size();
    if (options.tile > 0) core = {options.tile, options.tile};
    const std::size_t bytes = backend.bytes_per_pixel + (options.maps ? backend.map_bytes_per_pixel : 0);
    const std::size_t budget = facts_.statistics.empty() ? kBudget : kBudgetForStatistics;
    if (options.tile < 0) core = choose_core(whole_.size(), facts_.radius, budget / std::max<std::size_t>(bytes, 1));
    tiles_ = plan_tiles(whole_.size(), core, facts_.radius);
  }

  Upscaled run() {
    if (tiles_.size() > 1 && !facts_.statistics.empty()) feeds_ = sampled_statistics();
    for (const Tile& tile : tiles_) run_tile(tile);
    for (AttentionMap& map : output_.maps) map.heat = repeated(map.heat, output_.image.pixels.cols / map.heat.cols);
    return std::move(output_);
  }

 private:
  std::vector<Feeds> sampled_statistics() const {
    StatisticsMean mean;
    const cv::Size most = tiles_[0].window.size();  // a sample must not need more memory than a tile
    for (const cv::Rect& window : sample_windows(whole_.size(), std::min({kSampleSide, most.width, most.height}), kSamples))
      mean.add(runner_.run(colour_window(input_, window), {}, false, true).statistics, window.area());
    return mean.mean();
  }

  void run_tile(const Tile& tile) {
    const bool needs_alpha = alpha_range(input_, tile.core).mixed();
    WindowResult result = runner_.run(colour_window(input_, tile.window), feeds_, options_.maps, transparent_ && feeds_.empty());
    cv::Mat alpha;
    if (needs_alpha) {
      const std::vector<Feeds>& shared = feeds_.empty() ? result.statistics : feeds_;
      alpha = cut(runner_.run(alpha_window(input_, tile.window), shared, false, false).colour, tile);
    }
    store_core(output_.image, input_, tile.core, facts_.scale, cut(result.colour, tile), alpha);
    for (std::size_t i = 0; i < result.maps.size(); ++i) place_map(i, result.maps[i], tile);
  }

  // The part of a window's result that belongs to the core; the result may be any multiple of the window.
  static cv::Mat cut(const cv::Mat& result, const Tile& tile) {
    const int k = result.cols / tile.window.width;
    return result(cv::Rect((tile.core.x - tile.window.x) * k, (tile.core.y - tile.window.y) * k, tile.core.width * k,
                           tile.core.height * k));
  }

  void place_map(std::size_t index, const AttentionMap& part, const Tile& tile) {
    const int k = part.heat.cols / tile.window.width;
    if (index == output_.maps.size()) output_.maps.push_back({part.name, cv::Mat(whole_.height * k, whole_.width * k, CV_32F)});
    check(output_.maps[index].name == part.name, part.name, ": maps differ between tiles of one image");
    cut(part.heat, tile)
        .copyTo(output_.maps[index].heat(cv::Rect(tile.core.x * k, tile.core.y * k, tile.core.width * k, tile.core.height * k)));
  }

  // Every value k x k times. cv::resize finds the source of a pixel by a rounded division, which this must not depend on.
  static cv::Mat repeated(const cv::Mat& heat, int k) {
    if (k == 1) return heat;
    cv::Mat out(heat.rows * k, heat.cols * k, CV_32F);
    for (int y = 0; y < out.rows; ++y) {
      const float* from = heat.ptr<float>(y / k);
      float* to = out.ptr<float>(y);
      for (int x = 0; x < heat.cols; ++x, to += k) std::fill_n(to, k, from[x]);
    }
    return out;
  }

  const UpscaleFacts& facts_;
  const Image& input_;
  const UpscaleOptions& options_;
  WindowRunner runner_;
  Upscaled output_;
  cv::Rect whole_;
  bool transparent_ = false;
  std::vector<Tile> tiles_;
  std::vector<Feeds> feeds_;
};

// Bytes that a run holds for one input pixel, at its peak: eight maps of the widest layer, and three enlarged ones where the
// network has convolutions behind its enlargement (they do more work for a pixel than they have weights). Measured over the
// light family and A2N of widths 32 to 64, x2 to x4, the estimate is 1.0 to 1.8 times the allocator's peak.
// A function of the recipe alone, not a measurement: the cut decides the last bit of some pixels, and a rerun must give the
// same file.
std::size_t bytes_per_pixel(const Model& model, int scale) {
  constexpr std::int64_t kSide = 64;
  std::int64_t widest = 3, weights = 0;
  for (const ParamStore::Entry& entry : model.params()->entries()) {
    if (entry.value.shape().rank() != 4) continue;
    widest = std::max({widest, entry.value.dim(0), entry.value.dim(1)});
    weights += entry.value.shape().elements();
  }
  const double work = static_cast<double>(model.multiply_adds({1, 3, kSide, kSide})) / (kSide * kSide);
  const std::int64_t maps = work > 1.001 * static_cast<double>(weights) ? 8 + 3 * scale * scale : 8;
  return static_cast<std::size_t>(widest * maps) * sizeof(float);
}

// Bytes of the kept maps for one input pixel.
std::size_t map_bytes_per_pixel(const Model& model, const std::string& maps) {
  constexpr std::int64_t kSide = 8;
  const Tensor x = Tensor::zeros({1, 3, kSide, kSide}, DType::f32, Layout::channels_last);
  Model::RunOptions options;
  options.keep = maps;
  std::size_t bytes = 0;
  for (const Model::Tap& tap : model.run(x, options).taps) bytes += tap.value.bytes() / (kSide * kSide);
  return bytes;
}

}  // namespace

const UpscaleFacts& upscale_facts(const Model& model) {
  const auto* head = dynamic_cast<const UpscaleNetwork*>(&model.head());
  check(head != nullptr, model.name(), ": expected a network that upscales, this one is for the task '", model.info().task, "'");
  return head->facts();
}

const Preprocess& upscale_preprocess(const Model& model) {
  const Preprocess& p = model.preprocess();
  check(p.resize == Preprocess::Resize::none && p.channels == 3, model.name(),
        ": preprocess: expected `resize: none` and 3 channels of a network that upscales, which takes pictures as they are");
  return p;
}

UpscaleBackend upscale_backend(const Model& model) {
  const UpscaleFacts facts = upscale_facts(model);
  return {facts, bytes_per_pixel(model, facts.scale), map_bytes_per_pixel(model, facts.maps),
          [model](const Tensor& x, const Model::RunOptions& options) { return model.run(x, options); },
          upscale_preprocess(model)};
}

Upscaled upscale_image(const Model& model, const Image& input, const UpscaleOptions& options) {
  return upscale_image(upscale_backend(model), input, options);
}

Upscaled upscale_image(const UpscaleBackend& backend, const Image& input, const UpscaleOptions& options) {
  check(backend.facts.scale >= 1, "upscale: expected a scale of at least 1, got ", backend.facts.scale);
  check(options.tile >= -1, "upscale: expected a tile side of at least 1 (0: whole image, -1: automatic), got ", options.tile);
  return Upscaling(backend, input, options).run();
}

}  // namespace fovea
