// Values of a modality as pictures for people. A network never sees these.
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "datasets/scans/scan.hpp"

namespace fovea {

// Reads "1500:-600" (width:level), "auto", or a preset: lung, bone, brain, abdomen, mediastinum, liver. Empty for "auto". Error for others, with
// the presets, and for widths that are none.
std::optional<Window> parse_window(const std::string& text);

// From the 1st to the 99th percentile of what is finite and no padding.
Window auto_window(const cv::Mat& values, std::optional<double> padding);

// CV_32FC1 -> CV_8UC1 as PS3.3 C.11.2.1 says; `inverted`: small values are white. Not-a-number is black.
cv::Mat windowed(const cv::Mat& values, const Window& window, bool inverted);
cv::Mat windowed(const cv::Mat& values, const VoiLut& lut, bool inverted);

// A frame as a viewer shows it at first: its own table or first window, else auto_window; colours in 8 bits. `wish`: instead of the file's.
cv::Mat shown(const Scan& scan, int frame, const std::optional<Window>& wish = {});
// Of a frame that is decoded already.
cv::Mat shown(const Scan& scan, int frame, const cv::Mat& values, const std::optional<Window>& wish);

}  // namespace fovea
