// Videos in a run over files: the stage that runs the network runs it over every picture of a video, and writes what comes out.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pipeline/frame_analyzer.hpp"
#include "pipeline/stage.hpp"

namespace fovea {

// What a video's answer file says, and what is printed where there is no folder:
// {"file", "video": {"width", "height", "frames", "seconds", "rotation", "frame_rate", "codec", "container", "audio"}, ...summary()}.
inline constexpr Key<nlohmann::ordered_json> kStreamSummary{"stream summary"};

struct StreamOutputs {
  bool files = true;                   // else the summary alone is given, and later stages get the frame
  bool drawn = true;                   // "street.mp4.boxes.mp4": the video with its answers drawn, its times and audio
  std::vector<std::string> maps = {};  // "street.mp4.<map>.mp4" for each
  double limit = 0;                    // seconds of the video that are looked at; 0: all
};

// For the output "street.mp4.json": "street.mp4.jsonl" with an object for each frame ({"frame", "pts", "seconds", ...follow()}), the videos
// above, "street.mp4.boxes.jpg", the picture that shows the most objects, and the JSON last. Where a video's pictures change their size, the
// drawn ones are brought to that of the first; numbers stay in pixels of each picture.
//
// Pictures are looked at side by side, one a processor, and followed in their order. Ctrl-C leaves a file for next time; of an address what
// came until then is the answer.
class AnalyzeStreams final : public Stage {
 public:
  using Make = std::function<std::unique_ptr<FrameAnalyzer>()>;

  // `inner` is what is done with pictures, and says name and contract.
  AnalyzeStreams(std::unique_ptr<Stage> inner, Make make, StreamOutputs outputs)
      : inner_(std::move(inner)), make_(std::move(make)), outputs_(std::move(outputs)) {}
  std::string_view name() const override { return inner_->name(); }
  Contract contract() const override { return inner_->contract(); }
  void process(std::span<Frame> frames) override;

 private:
  std::unique_ptr<Stage> inner_;
  Make make_;
  StreamOutputs outputs_;
};

}  // namespace fovea
