// What a TIFF's tags say about its samples, and samples of any depth as pixels.
#pragma once

#include <tiffio.h>

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {

struct TiffHeader {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t planar = PLANARCONFIG_CONTIG, orientation = 1, compression = COMPRESSION_NONE;
  int alpha = -1;  // the sample that a tag calls so
  bool premultiplied = false;
  int unnamed = 0;      // samples that no tag explains
  bool ranged = false;  // of floating-point values: tags say which are black and white
  double lowest = 0, highest = 1;

  bool inks() const { return photometric == PHOTOMETRIC_SEPARATED; }
  int colours() const { return photometric == PHOTOMETRIC_RGB ? 3 : inks() ? 4 : 1; }
  bool grey() const { return photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE; }
  // Samples are colours as they are; else libtiff converts them, to 8 bits.
  bool plain() const { return (grey() || photometric == PHOTOMETRIC_RGB || inks()) && samples >= colours(); }
  bool deep() const { return bits > 8; }
  int samples_in_row() const { return planar == PLANARCONFIG_SEPARATE ? 1 : samples; }
  // Channels of the pixels as they are collected: grey, BGR or inks, with alpha behind them.
  int channels() const { return inks() ? 4 + (alpha >= 0) : alpha >= 0 ? 4 : colours(); }
};

TiffHeader read_tiff_header(TIFF* tiff, const std::string& name);

// Throws Error, "not supported: " and the kind.
void check_tiff_supported(const TiffHeader& header, const std::string& name);

// Puts `count` pixels of a row as libtiff gives it, from column x on. `plane`: which sample it holds, where each has a plane of its own.
void place_tiff_row(const TiffHeader& header, const std::uint8_t* row, cv::Mat& pixels, int y, int x, int count, int plane);

// What is left to do when all rows are placed: inks to colours, alpha straight.
void finish_tiff_pixels(const TiffHeader& header, cv::Mat& pixels);

}  // namespace fovea::codec
