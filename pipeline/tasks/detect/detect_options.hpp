// The options of `fovea detect`, and of streams that a detector looks at.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "pipeline/operation.hpp"
#include "pipeline/tasks/detect/analyzer.hpp"
#include "pipeline/tasks/detect/detector.hpp"
#include "pipeline/tasks/detect/stages.hpp"

namespace fovea {

struct DetectSettings {
  DetectOptions detector;
  SaveDetectionsOptions save;
  DetectStreamOptions stream;
  double confidence = -1, iou = -1;  // below 0: as the model says
  bool across_classes = false;
  double limit = 0;   // seconds of a video
  int most = 300;     // boxes a picture
  int explained = 0;  // of them
  std::string nms = "hard";
  std::vector<std::string> classes, written, maps, lines, zones;

  void add_stream_options(OptionList& options);
  void add_options(OptionList& options);  // with those
  // What the options say, once the model is known. Error.
  void resolve(const Model& model, DType precision);

  nlohmann::json json() const;  // as Operation::settings
  // The detector for videos and cameras: with the boxes that tracking wants, too. `all_maps`: with every map that the model has.
  DetectOptions for_streams(const Model& model, bool all_maps) const;
};

}  // namespace fovea
