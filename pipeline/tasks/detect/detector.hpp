// A detection model on pictures: boxes in the pixels of the picture itself, and what the network looked at.
//
//   const Detector detector(Model::load("photos"));
//   for (const Detection& d : detector.run(frame).detections)   // cv::Mat, BGR
//     cv::rectangle(frame, to_pixels(d.box), {0, 255, 0});      // detector.classes()[d.label], d.score
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "modules/model.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/tasks/detect/decode.hpp"

namespace fovea {

struct DetectOptions {
  DecodeOptions decode = {};
  DType precision = DType::f32;
  bool flip = false;      // the mirrored picture too: the boxes of both become one
  int tile = 0;           // side of windows that are looked at beside the whole picture, in its pixels; 0: none
  double overlap = 0.25;  // of neighbouring windows, as a share of their side
  std::string keep = {};  // glob of taps that are maps
};

// The head of a model for this task. Error for a model of another one.
const DetectHead& detect_head(const Model& model);
// The thresholds that the model names, or others where they are not below 0.
DecodeOptions decode_options(const Model& model, double confidence = -1, double iou = -1);

class Detector {
 public:
  struct Answer {
    Detections detections;             // by falling score
    std::vector<PlacedMap> maps = {};  // those of `keep`, of the whole picture
  };

  // With the model's own thresholds.
  explicit Detector(Model model);
  // Error for a model of another task, for a glob that matches no map, and for options that make no sense.
  Detector(Model model, DetectOptions options);
  // A picture of any size, as preprocess() takes it. Several threads may.
  Answer run(const cv::Mat& picture) const { return run(picture, layers_); }
  // With these of layers() alone as maps: laying one on the picture costs more than computing it.
  Answer run(const cv::Mat& picture, const std::vector<explain::Layer>& maps) const;

  const std::vector<explain::Layer>& layers() const { return layers_; }  // that `keep` names
  // The windows of such a picture that run() looks at beside the whole of it.
  std::vector<cv::Rect> windows(cv::Size picture) const;

  const Model& model() const { return model_; }
  const std::vector<std::string>& classes() const { return model_.classes(); }
  const DetectOptions& options() const { return options_; }

 private:
  // Where somebody wants maps: which, and where to.
  struct Wanted {
    const std::vector<explain::Layer>& layers;
    std::vector<PlacedMap>& maps;
  };

  // Boxes on the picture before suppression.
  Detections candidates(const cv::Mat& picture, const Wanted* wanted = nullptr) const;
  Detections in_window(const cv::Mat& picture, const Wanted* wanted = nullptr) const;

  Model model_;
  DetectOptions options_;
  std::vector<explain::Layer> layers_;  // that are kept
};

}  // namespace fovea
