#include "pipeline/stages/upscale.hpp"

#include <algorithm>
#include <utility>

#include "modules/core/error.hpp"
#include "pipeline/stages/tiles.hpp"
#include "pipeline/stages/upscale_pixels.hpp"
#include "pipeline/stages/upscale_run.hpp"

namespace fovea {
namespace {

constexpr std::size_t kBudget = std::size_t{512} << 20;  // bytes of working memory for one run
constexpr int kSampleSide = 128, kSamples = 16;

// One image on its way through the network.
class Upscaling {
 public:
  Upscaling(const UpscaleBackend& backend, const Image& input, const UpscaleOptions& options)
      : facts_(backend.facts), input_(input), options_(options), runner_(backend, options),
        output_{enlarged_like(input, backend.facts.scale), {}}, whole_({0, 0}, input.pixels.size()) {
    transparent_ = !alpha_range(input, whole_).opaque();
    cv::Size core = whole_.size();
    if (options.tile > 0) core = {options.tile, options.tile};
    if (options.tile < 0) core = choose_core(whole_.size(), facts_.radius, kBudget / std::max<std::size_t>(backend.bytes_per_pixel, 1));
    tiles_ = plan_tiles(whole_.size(), core, facts_.radius);
  }

  Upscaled run() {
    if (tiles_.size() > 1 && !facts_.statistics.empty()) pins_ = sampled_statistics();
    for (const Tile& tile : tiles_) run_tile(tile);
    for (AttentionMap& map : output_.maps) map.heat = repeated(map.heat, output_.image.pixels.cols / map.heat.cols);
    return std::move(output_);
  }

 private:
  std::vector<Pins> sampled_statistics() const {
    StatisticsMean mean;
    const cv::Size most = tiles_[0].window.size();  // a sample must not need more memory than a tile
    for (const cv::Rect& window : sample_windows(whole_.size(), std::min({kSampleSide, most.width, most.height}), kSamples))
      mean.add(runner_.run(colour_window(input_, window), {}, false, true).statistics, window.area());
    return mean.mean();
  }

  void run_tile(const Tile& tile) {
    const bool needs_alpha = alpha_range(input_, tile.core).mixed();
    WindowResult result = runner_.run(colour_window(input_, tile.window), pins_, options_.maps, transparent_ && pins_.empty());
    cv::Mat alpha;
    if (needs_alpha) {
      const std::vector<Pins>& shared = pins_.empty() ? result.statistics : pins_;
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
    cut(part.heat, tile).copyTo(
        output_.maps[index].heat(cv::Rect(tile.core.x * k, tile.core.y * k, tile.core.width * k, tile.core.height * k)));
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

  const Model::UpscaleFacts& facts_;
  const Image& input_;
  const UpscaleOptions& options_;
  WindowRunner runner_;
  Upscaled output_;
  cv::Rect whole_;
  bool transparent_ = false;
  std::vector<Tile> tiles_;
  std::vector<Pins> pins_;
};

}  // namespace

Upscaled upscale_image(const UpscaleBackend& backend, const Image& input, const UpscaleOptions& options) {
  check(backend.facts.scale >= 1, "upscale: expected a scale of at least 1, got ", backend.facts.scale);
  check(options.tile >= -1, "upscale: expected a tile side of at least 1 (0: whole image, -1: automatic), got ", options.tile);
  return Upscaling(backend, input, options).run();
}

}  // namespace fovea
