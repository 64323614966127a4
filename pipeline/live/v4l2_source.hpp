// A camera of Linux (V4L2).
#pragma once

#include <memory>

#include "pipeline/live/source.hpp"
#include "pipeline/live/v4l2_calls.hpp"

namespace fovea {

struct CameraOptions {
  std::string device = "/dev/video0";
  // Pixels; 0x0: as the camera is set. Cameras take the nearest that they have, and the description says it.
  cv::Size size{0, 0};
  double rate = 0;                                  // pictures a second; 0: as the camera is set
  std::chrono::milliseconds longest_silence{5000};  // until it counts as failed
};

// Asks for motion JPEG, which cameras give at their highest rates, then for YUYV, then for NV12. Of several pictures that lie
// ready the newest is given; the others' numbers, and those of damaged ones, are missing. Ages count from the camera's own time
// stamp where it has one. Error with what to do: missing, forbidden, in use, not a camera, unplugged, silent for
// longest_silence. It can be opened anew, with the same device name.
std::unique_ptr<LiveSource> v4l2_source(const CameraOptions& options, CameraCalls& calls = camera_calls());

}  // namespace fovea
