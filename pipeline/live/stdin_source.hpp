// Pictures from standard input or any other pipe: motion JPEG, or raw frames of a size that was said.
#pragma once

#include <memory>
#include <optional>

#include "pipeline/live/source.hpp"

namespace fovea {

struct StreamSourceOptions {
  std::optional<cv::Size> raw;  // frames are width * height * 3 bytes, BGR, without anything between; none: motion JPEG
};

// Reads `descriptor`, which the caller keeps open, as fast as frames come; it may be a blocking one. Frames that are damaged or
// cut are passed over, their numbers are missing. Error: it is a terminal, a read fails, it ends without a single whole frame.
std::unique_ptr<LiveSource> stream_source(int descriptor, const std::string& name, const StreamSourceOptions& options = {});
std::unique_ptr<LiveSource> stdin_source(const StreamSourceOptions& options = {});

}  // namespace fovea
