// Attention maps as files: a coloured overlay to look at, raw values to compute with.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>

#include "datasets/image.hpp"

namespace fovea {

enum class Colours { viridis, inferno, turbo };

struct HeatRange {
  float low = 0, high = 1;
};

struct OverlayOptions {
  Colours colours = Colours::turbo;
  double opacity = 0.5;       // of the colours over the picture
  double low = 1, high = 99;  // percentiles of the heat that become the two ends of the colours
  bool legend = false;        // a strip below the picture with the colours and the values at their ends
};

// A mask of the positions without a value (NaN), 255 there and 0 elsewhere. Not `heat != heat`: OpenCV says no to that where it compares with
// AVX, and yes where it does not.
cv::Mat missing(const cv::Mat& heat);

// Percentiles (0..100) of the finite values, so that a few outliers do not take all the colours. {0, 0} when there are none.
HeatRange percentile_range(const cv::Mat& heat, double low, double high);

// An 8-bit BGR picture: the image in grey (so that colour means heat only; alpha over white) under the coloured heat.
// `heat` is CV_32F of the image's size; the picture keeps that size, the legend comes below it. Where heat is NaN there is no colour.
Image heat_overlay(const Image& image, const cv::Mat& heat, const OverlayOptions& options = {});

// A 16-bit grey PNG, value = min + pixel / 65535 * (max - min); min and max stand in `file`.json beside it
// ({"min":..,"max":..,"width":..,"height":..}). Values that are not finite become 0 (min).
void write_heat_png(const std::filesystem::path& file, const cv::Mat& heat);

// NumPy's .npy: float32, C order, shape (height, width), bit for bit.
void write_heat_npy(const std::filesystem::path& file, const cv::Mat& heat);

}  // namespace fovea
