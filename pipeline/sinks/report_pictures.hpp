// The pictures of a report's entry, small enough for many on one page.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/image.hpp"

namespace fovea {

// What a screen shows of any image: 8-bit BGR, transparency over white.
cv::Mat displayable(const Image& image);

// The square of at most `side` pixels with the strongest edges: where upscaling shows.
cv::Rect most_detailed(const cv::Mat& bgr, int side);

// "data:image/jpeg;base64,..."
std::string jpeg_uri(const cv::Mat& bgr, int quality);

// At most `longest` pixels on the longer side, and never enlarged.
cv::Mat shrunk(const cv::Mat& bgr, int longest);

// An HTML <figure> of a picture file, or of a part of it, no larger than articles show it. Error when it cannot be read.
std::string figure(const std::filesystem::path& file, const std::string& caption, const std::string& part = {});

// An HTML <div> with one of several pictures that lie beside the page in one folder, chosen by a slider: each is loaded when it is looked at, so that hundreds of
// slices weigh nothing. `files`: below the page's folder; their names begin with their numbers. Error when the first cannot be read.
std::string picture_slider(const std::filesystem::path& page_folder, const std::vector<std::string>& files,
                           const std::string& caption);

struct EntryPictures {
  cv::Size input, output;                   // in pixels
  std::string before, after;                // the whole image: bicubic, and the output, at the same size
  std::string detail_before, detail_after;  // a part at the output's own pixels
  cv::Size detail;
  std::vector<std::string> maps;  // some of the overlays, small
};

// Error when one of the files cannot be read.
EntryPictures make_entry_pictures(const std::filesystem::path& input, const std::filesystem::path& output,
                                  const std::vector<std::filesystem::path>& overlays, const std::string& page = {});

}  // namespace fovea
