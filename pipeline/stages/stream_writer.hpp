// The files of one video's answer, while its pictures come.
#pragma once

#include <fstream>
#include <memory>
#include <optional>

#include "datasets/video/writer.hpp"
#include "modules/io/output_file.hpp"
#include "pipeline/stages/stream.hpp"

namespace fovea {

class StreamWriter {
 public:
  // EnvironmentError, Error.
  StreamWriter(const Frame& frame, const StreamOutputs& outputs, const VideoFacts& facts);

  // The next picture and what follow() gave for it; `analyzer` draws it.
  void write(const VideoFrame& picture, nlohmann::ordered_json answer, const FrameAnalyzer& analyzer);
  // All files under their names; they are told to the frame. `whole`: the video was seen to its end.
  void finish(Frame& frame, const nlohmann::ordered_json& summary, bool whole);

  std::int64_t frames() const { return count_; }

 private:
  struct Drawing {
    std::string map;  // empty: none
    std::filesystem::path file;
    std::unique_ptr<VideoWriter> video;
  };

  void draw(const VideoFrame& picture, const FrameAnalyzer& analyzer, std::size_t objects);

  const std::filesystem::path output_;  // empty: nothing is written
  cv::Size size_;
  std::optional<OutputFile> lines_file_;
  std::ofstream lines_;
  std::vector<Drawing> drawings_;
  cv::Mat poster_;
  std::size_t most_ = 0;  // objects on it
  std::int64_t count_ = 0;
  bool resized_ = false;
};

}  // namespace fovea
