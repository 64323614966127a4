// Pictures as DICOM Secondary Captures (PS3.3 A.8.1) beside the images that they were made from.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>
#include <string>

namespace fovea {

// What the pictures of one input have in common.
struct CaptureSeries {
  std::string uid;          // new_series_uid() of the seed
  std::string description;  // at most 64 characters
  std::string software;     // version
  std::string derivation;   // what was done: the model's name
  std::string seed =
      {};  // where unique identifiers must be the same when the same pictures are written again; else they are new ones
};
std::string new_series_uid(const std::string& seed = {});

// bgr: u8, 3 channels. `header` is what the source's file says (read_header); patient and study are taken from it. `number`: of the picture in its series, from 1. Whether the
// pixels may name somebody is what the source says of its own, or nothing where it should say so and does not (burned_in.hpp). Error for a source without unique identifiers.
void write_capture(const std::filesystem::path& file, const cv::Mat& bgr, const std::string& header, int source_frame,
                   const CaptureSeries& series, int number);

}  // namespace fovea
