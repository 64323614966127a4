// A live source by what a command line says of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pipeline/live/source.hpp"

namespace fovea {

struct SourceChoice {
  // A video file, an address, a folder of pictures, "-" for standard input, a device (/dev/video2). Empty: the device of that number.
  std::string source = {};
  std::optional<int> device = {};  // of /dev/videoN; none, and no source: 0
  std::string size = {};           // of cameras, "1280x720"; empty: as the camera is set
  double rate = 0;                 // pictures a second of cameras and folders; 0: as the camera is set, or 10 of a folder
  bool loop = false;               // files and folders begin again at their end
  std::string raw = {};            // of standard input: the size of raw BGR frames; empty: motion JPEG
};

// "640x480", each side from 1 to 16384; `option` is who asks. UsageError for other texts.
cv::Size parse_size(const std::string& text, const std::string& option);

// Opens it. UsageError for what cannot be told from one another or does not go together; what the source itself throws: Error.
std::unique_ptr<LiveSource> open_source(const SourceChoice& choice);

}  // namespace fovea
