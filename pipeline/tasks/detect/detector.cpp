#include "pipeline/tasks/detect/detector.hpp"

#include <opencv2/core.hpp>

#include "pipeline/tasks/detect/windows.hpp"

namespace fovea {

const DetectHead& detect_head(const Model& model) {
  const auto* head = dynamic_cast<const DetectHead*>(&model.head());
  check(head, model.name(), " is no detector: it is for the task '", model.info().task, "'");
  return *head;
}

DecodeOptions decode_options(const Model& model, double confidence, double iou) {
  const DetectThresholds& own = detect_head(model).thresholds();
  DecodeOptions options{.confidence = confidence >= 0 ? confidence : own.confidence};
  options.suppression.iou = iou >= 0 ? iou : own.iou;
  options.suppression.least_score = options.confidence;
  return options;
}

Detector::Detector(Model model) : Detector(model, {.decode = decode_options(model)}) {}

Detector::Detector(Model model, DetectOptions options) : model_(std::move(model)), options_(std::move(options)) {
  detect_head(model_);
  check(options_.tile == 0 || options_.tile >= 32, "detect: tile: expected at least 32 pixels, got ", options_.tile);
  check(options_.overlap >= 0 && options_.overlap < 0.9, "detect: overlap: expected 0 to 0.9, got ", options_.overlap);
  if (!options_.keep.empty()) layers_ = map_layers(model_, options_.keep);
}

Detections Detector::candidates(const cv::Mat& picture, const Wanted* wanted) const {
  const Preprocessed in = preprocess(picture, model_.preprocess());
  // All layers, whichever are wanted: another choice would be another plan.
  const std::string keep = wanted ? explain::glob_of(layers_) : std::string();
  const Model::Result result = model_.run(in.tensor, {.keep = keep, .precision = options_.precision});
  if (wanted) wanted->maps = placed_maps(wanted->layers, result.taps, 0, in.geometry);
  const DetectGrid grid(detect_head(model_).coding(), static_cast<std::int64_t>(classes().size()), in.tensor.dim(2),
                        in.tensor.dim(3));
  return on_picture(candidates_of(result.outputs, grid, 0, options_.decode), in.geometry);
}

// One look at a window, or two.
Detections Detector::in_window(const cv::Mat& picture, const Wanted* wanted) const {
  Detections found = suppress(candidates(picture, wanted), options_.decode.suppression);
  if (!options_.flip) return found;
  cv::Mat mirrored;
  cv::flip(picture, mirrored, 1);
  for (Detection d : suppress(candidates(mirrored), options_.decode.suppression)) {
    d.box = {picture.cols - d.box.x2, d.box.y1, picture.cols - d.box.x1, d.box.y2};
    found.push_back(d);
  }
  Suppression both = options_.decode.suppression;
  both.kind = Suppression::Kind::fusion, both.runs = 2, both.iou = std::min(both.iou, 0.55);
  both.least_score = options_.decode.confidence;
  return suppress(std::move(found), both);
}

std::vector<cv::Rect> Detector::windows(cv::Size picture) const {
  return options_.tile == 0 ? std::vector<cv::Rect>() : windows_over(picture, options_.tile, options_.overlap);
}

Detector::Answer Detector::run(const cv::Mat& picture, const std::vector<explain::Layer>& maps) const {
  check(!picture.empty(), "detect: the picture is empty");
  Answer answer;
  const Wanted wanted{maps, answer.maps};
  Detections whole = in_window(picture, &wanted);
  if (options_.tile == 0) {
    answer.detections = std::move(whole);
    return answer;
  }
  WindowBoxes merged(picture.size(), options_.decode.suppression);
  merged.add(cv::Rect({}, picture.size()), whole);
  for (const cv::Rect& window : windows(picture.size())) merged.add(window, in_window(picture(window)));
  answer.detections = merged.result();
  return answer;
}

}  // namespace fovea
