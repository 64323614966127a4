// Detection on the pictures of a video or a camera: boxes, which of them are the same object, lines and zones that they pass.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipeline/frame_analyzer.hpp"
#include "pipeline/tasks/detect/detector.hpp"
#include "pipeline/tracking/crossings.hpp"

namespace fovea {

struct DetectStreamOptions {
  double confidence = 0.25;       // least score of a box that is shown
  double opacity = 0.5;           // of maps
  std::set<std::int64_t> labels;  // that are kept; empty: all
  bool track = false;
  std::vector<LineText> lines;  // with zones: implies track
  std::vector<ZoneText> zones;
};

// The detector gives boxes of kStreamFloor and above: trackers follow what is half hidden by its low scores, and the threshold of a live page
// can be lowered.
inline constexpr double kStreamFloor = 0.1;

// The answer of a picture: {"objects": [{"class", "index", "score", "box", "track"}], "events": [as to_json(CrossingEvent)]}; "track" and
// "events" where it tracks. summary(): {"classes": [{"class", "frames", "boxes", "most", "tracks"}], "lines", "zones"}.
std::unique_ptr<FrameAnalyzer> detect_analyzer(std::shared_ptr<const Detector> detector, const DetectStreamOptions& options);

}  // namespace fovea
