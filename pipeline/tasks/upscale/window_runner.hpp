// Runs of an upscaling network over one window: flips and rotations, maps, and statistics measured over the whole image.
#pragma once

#include <map>
#include <opencv2/core.hpp>
#include <span>
#include <string>
#include <vector>

#include "pipeline/tasks/upscale/upscale_image.hpp"

namespace fovea {

using Feeds = std::map<std::string, Tensor>;

struct WindowResult {
  cv::Mat colour;                  // CV_32FC3, RGB, scale x the window
  std::vector<AttentionMap> maps;  // CV_32F, k x the window, as the network computed them
  std::vector<Feeds> statistics;   // one for each flip that ran
};

class WindowRunner {
 public:
  WindowRunner(const UpscaleBackend& backend, const UpscaleOptions& options) : backend_(backend), options_(options) {}

  int flips() const { return options_.self_ensemble ? 8 : 1; }

  // `rgb` is CV_32FC3. `feeds` is empty or holds one set for each flip. Results of the flips are turned back and averaged.
  WindowResult run(const cv::Mat& rgb, std::span<const Feeds> feeds, bool maps, bool statistics) const;

 private:
  Model::Result run_once(const cv::Mat& rgb, const Feeds& feeds, const std::string& keep) const;

  const UpscaleBackend& backend_;
  const UpscaleOptions& options_;
};

// Mean of statistics weighted by the area that each was taken from.
class StatisticsMean {
 public:
  void add(const std::vector<Feeds>& statistics, double area);
  std::vector<Feeds> mean() const;

 private:
  struct Sum {
    Shape shape;
    std::vector<double> values;
  };
  std::vector<std::map<std::string, Sum>> sums_;
  double area_ = 0;
};

}  // namespace fovea
