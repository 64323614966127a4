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
#include "pipeline/options.hpp"
#include "pipeline/tasks/highlight/windows.hpp"

namespace fovea {

struct HighlightOptions {
  int window =
      0;  // side of the windows in pixels of the network's input; 0: the whole picture up to 1024 x 1024 pixels, else 768
  double overlap = 0.25;  // of neighbouring windows, of their side
  // Looks at one picture: mirrored as its training mirrored, up to four ways; each of them so often with dropout, other values dropped each time (0: once, nothing dropped). The mean of all
  // counts, and their spread is the uncertainty.
  bool flips = false;
  int samples = 0;
  std::int64_t seed = 0;  // of what is dropped: the same on every picture
  DType precision = DType::f32;
  std::string keep = {};                // glob of taps
  bool grad_cam = false;                // where the network looked for each class: class_maps.hpp
  bool spread = false;                  // the uncertainty is one of the maps, too; with flips or samples
  std::vector<double> thresholds = {};  // of what grad_cam explains; empty: the model's own

  bool looks_again() const { return flips || samples > 0; }
};

inline constexpr const char *kGradCam = ".gradcam", *kSpread = ".uncertainty";  // behind a class's name: its maps

struct HighlightMap {
  enum class Kind : std::uint8_t { tap, grad_cam, spread };

  std::string name;  // of the tap; "<class>.gradcam", "<class>.uncertainty"
  cv::Mat values;    // f32, the size of the picture
  Kind kind = Kind::tap;
};

// One map a class each, f32, the size of the picture.
struct Highlights {
  std::vector<cv::Mat> probabilities;
  std::vector<cv::Mat> distances;    // of models that tell objects apart, and of those whose pictures have a score
  std::vector<cv::Mat> uncertainty;  // standard deviation of the probability over all looks; with flips or samples
  std::vector<HighlightMap>
      maps;  // those that were asked for: taps are means over their channels; none of grad_cam where the class is nowhere
};

// A way to look at a picture.
struct Mirror {
  bool left_right = false, top_bottom = false;
};

void add_sampling_options(OptionList& options, HighlightOptions& set);

// What the model's head says. Error where it is for another task, and for models that do not see the whole picture (resize: crop).
const HighlightHead& highlight_head(const Model& model);

// Several threads may use one.
class Highlighter {
 public:
  // Error where the options ask for what the model cannot give: samples without dropout, flips where its training had none, maps that it has not.
  Highlighter(Model model, HighlightOptions options);
  // values: f32 in 0..1 as unit_range() gives them. Error; NotFinite where the network's answer is not.
  Highlights operator()(const cv::Mat& values) const { return (*this)(values, maps()); }
  // With these of maps() alone: laying one on the picture costs more than computing it.
  Highlights operator()(const cv::Mat& values, const std::vector<std::string>& maps) const;
  const Model& model() const { return model_; }
  // Names of the maps that the options ask for. Error where `keep` matches none.
  std::vector<std::string> maps() const;
  // Whether plans are all that it needs, so that the model may give its weights back.
  bool runs_only() const { return !options_.grad_cam && options_.samples == 0; }

 private:
  std::vector<explain::Layer> layers(cv::Size window) const;
  Shape usual_window() const;
  std::vector<HighlightMap> grad_cams(const WindowedInput& picture, const std::vector<std::string>& names) const;

  Model model_;
  HighlightOptions options_;
  int stride_;                       // that windows begin at multiples of
  std::vector<Mirror> mirrors_{{}};  // that a picture is looked at in
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int, int>, std::vector<explain::Layer>> layers_;  // by the size of windows
};

}  // namespace fovea
