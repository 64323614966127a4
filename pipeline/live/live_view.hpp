// What becomes of the frames of a live run: they are shown, recorded, written down.
#pragma once

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "pipeline/live/source.hpp"

namespace fovea {

struct SeenFrame {
  const LiveFrame& frame;
  const nlohmann::ordered_json& answer;  // of FrameAnalyzer::follow()
  const cv::Mat& drawn;                  // the picture with its answer; empty where no view wanted one
};

class LiveView {
 public:
  virtual ~LiveView() = default;
  // Whether the next frame should be drawn for it, which costs: only where somebody looks. It gets what was drawn for others, too.
  virtual bool wants_picture() { return false; }
  // Soon done: the next frame waits for it. Error ends the run, in good order.
  virtual void show(const SeenFrame& seen) = 0;
  // No more frames will come. Error.
  virtual void finish() {}
};

}  // namespace fovea
