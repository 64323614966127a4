// What was found in videos, for tables and reports.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "modules/core/json.hpp"

namespace fovea {

inline constexpr const char* kVideosCsv = "videos.csv";

struct FoundInVideo {
  struct Class {
    std::string name;
    std::int64_t frames = 0, boxes = 0, most = 0,
                 tracks = -1;  // as FrameAnalyzer::summary says; tracks below 0: it did not track
  };
  double seconds = 0;
  std::int64_t frames = 0;
  std::vector<Class> classes;
  std::string input = {};  // the video's path
};

// Of an answer that has "video". Error with file and key.
FoundInVideo found_in_video(const JsonValue& json);

// file, seconds, frames, class, frames with it, boxes, most at once, tracks.
std::string videos_csv(const std::vector<FoundInVideo>& all);

// A line for each class: "person" and "in 120 of 300 frames, up to 4 at once, 7 tracks".
std::vector<std::pair<std::string, std::string>> class_lines(const FoundInVideo& found);

}  // namespace fovea
