// Tables of what was found in a run's inputs, under its settings, in that run or an earlier one.
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "datasets/boxes/box.hpp"
#include "pipeline/sinks/ledger.hpp"
#include "pipeline/tasks/detect/video_tables.hpp"

namespace fovea {

inline constexpr const char* kDetectionsCsv = "detections.csv";
inline constexpr const char* kDetectionsCoco = "detections.coco.json";

struct FoundBoxes {
  std::int64_t width = 0, height = 0;
  Detections detections;
  std::string input = {};  // the picture's path
};

// What stands in one answer's file: of a picture, or of a video. Error with the file's name.
std::variant<FoundBoxes, FoundInVideo> read_found(const std::filesystem::path& file, const std::vector<std::string>& classes);

// What the run's done files say, by input. One that cannot be read any more is left out.
struct FoundInRun {
  std::vector<FoundBoxes> pictures;
  std::vector<FoundInVideo> videos;
};
FoundInRun read_all_found(const std::filesystem::path& folder, const Ledger& ledger, const std::vector<std::string>& classes);

// Of pictures detections.csv (file, class, score, x1, y1, x2, y2) and detections.coco.json: COCO's images, categories and annotations, each with its score. Of videos videos.csv, where there are any. Gives the files. EnvironmentError when one cannot be written.
std::vector<std::filesystem::path> write_found(const std::filesystem::path& folder, const FoundInRun& all,
                                               const std::vector<std::string>& classes);

// How many of each class, and the scores in bars of a tenth, as HTML for the report.
std::string found_summary(const std::vector<FoundBoxes>& all, const std::vector<std::string>& classes);

}  // namespace fovea
