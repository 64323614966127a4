// One picture through a highlighting network: probabilities on the picture's own pixels, in windows where it is large, with the network's own maps and how
// far its answers about mirrored copies lie apart.
#pragma once

#include <map>
#include <mutex>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/preprocess.hpp"
#include "modules/explain/layers.hpp"
#include "modules/heads/highlight.hpp"
#include "modules/model.hpp"

namespace fovea {

struct HighlightOptions {
  int window =
      0;  // side of the windows in pixels of the network's input; 0: the whole picture up to 1024 x 1024 pixels, else 768
  double overlap = 0.25;  // of neighbouring windows, of their side
  bool flips = false;     // look at the picture mirrored, too: the mean counts, and the spread is the uncertainty
  DType precision = DType::f32;
  std::string keep = {};  // glob of taps
};

struct HighlightMap {
  std::string name;
  cv::Mat values;  // f32, the size of the picture
};

// One map a class each, f32, the size of the picture.
struct Highlights {
  std::vector<cv::Mat> probabilities;
  std::vector<cv::Mat> distances;    // of models that tell objects apart, and of those whose pictures have a score
  std::vector<cv::Mat> uncertainty;  // standard deviation of the probability over mirrored copies; with flips
  std::vector<HighlightMap> maps;    // taps that were asked for, means over their channels
};

// What the model's head says. Error where it is for another task, and for models that do not see the whole picture (resize: crop).
const HighlightHead& highlight_head(const Model& model);

// Several threads may use one.
class Highlighter {
 public:
  Highlighter(Model model, HighlightOptions options);
  // values: f32 in 0..1 as unit_range() gives them. Error; NotFinite where the network's answer is not.
  Highlights operator()(const cv::Mat& values) const { return (*this)(values, maps()); }
  // With these of maps() alone: laying one on the picture costs more than computing it.
  Highlights operator()(const cv::Mat& values, const std::vector<std::string>& maps) const;
  const Model& model() const { return model_; }
  // Names of the maps that `keep` asks for. Error where it matches none.
  std::vector<std::string> maps() const;

 private:
  std::vector<explain::Layer> layers(cv::Size window) const;

  Model model_;
  HighlightOptions options_;
  int stride_;  // that windows begin at multiples of
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int, int>, std::vector<explain::Layer>> layers_;  // by the size of windows
};

}  // namespace fovea
