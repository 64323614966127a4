#include "pipeline/sinks/report_pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <opencv2/imgproc.hpp>
#include <string_view>

#include "datasets/picture_size.hpp"
#include "datasets/resize.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sources/pages.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kWhole = 720, kDetail = 280, kMap = 360;  // longest sides, pixels
constexpr std::size_t kMaps = 4;

std::string base64(const std::vector<std::uint8_t>& bytes) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = 0; j < 3; ++j) three = three << 8 | (i + j < bytes.size() ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? digits[three >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

// A path as part of an address.
std::string as_address(const std::string& path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

cv::Size fitted(cv::Size size, int longest) {
  const double factor = std::min(1.0, static_cast<double>(longest) / std::max(size.width, size.height));
  return {std::max(1, static_cast<int>(std::lround(size.width * factor))),
          std::max(1, static_cast<int>(std::lround(size.height * factor)))};
}

cv::Mat resized(const cv::Mat& image, cv::Size size) {
  if (image.size() == size) return image;
  cv::Mat result;
  const bool smaller = size.width < image.cols;
  cv::resize(image, result, size, 0, 0, smaller ? cv::INTER_AREA : cv::INTER_CUBIC);
  return result;
}

// The part of a bicubic enlargement that lies under `part` of the output, from just the input pixels that it needs.
cv::Mat bicubic_part(const cv::Mat& input, cv::Size output, cv::Rect part) {
  const double fx = static_cast<double>(output.width) / input.cols, fy = static_cast<double>(output.height) / input.rows;
  constexpr int kMargin = 4;  // the kernel reaches 2 input pixels
  const int x0 = std::max(0, static_cast<int>(part.x / fx) - kMargin), y0 = std::max(0, static_cast<int>(part.y / fy) - kMargin);
  const int x1 = std::min(input.cols, static_cast<int>(std::ceil(part.br().x / fx)) + kMargin);
  const int y1 = std::min(input.rows, static_cast<int>(std::ceil(part.br().y / fy)) + kMargin);
  const cv::Mat source = input(cv::Rect(x0, y0, x1 - x0, y1 - y0));
  const cv::Size size(static_cast<int>(std::lround(source.cols * fx)), static_cast<int>(std::lround(source.rows * fy)));
  const cv::Mat large = imresize(source, size);
  const cv::Point at(part.x - static_cast<int>(std::lround(x0 * fx)), part.y - static_cast<int>(std::lround(y0 * fy)));
  return large(cv::Rect(at, part.size()) & cv::Rect({}, large.size())).clone();
}

}  // namespace

cv::Mat displayable(const Image& image) {
  cv::Mat pixels = image.pixels;
  if (pixels.depth() == CV_16U) image.pixels.convertTo(pixels, CV_8U, 1.0 / 257);
  if (pixels.channels() == 1) {
    cv::Mat bgr;
    cv::cvtColor(pixels, bgr, cv::COLOR_GRAY2BGR);
    return bgr;
  }
  if (pixels.channels() == 3) return pixels;
  cv::Mat bgr(pixels.size(), CV_8UC3);
  for (int y = 0; y < pixels.rows; ++y) {
    const auto* from = pixels.ptr<cv::Vec4b>(y);
    auto* to = bgr.ptr<cv::Vec3b>(y);
    for (int x = 0; x < pixels.cols; ++x)
      for (int c = 0; c < 3; ++c)
        to[x][c] = static_cast<std::uint8_t>((from[x][c] * from[x][3] + 255 * (255 - from[x][3]) + 127) / 255);
  }
  return bgr;
}

cv::Rect most_detailed(const cv::Mat& bgr, int side) {
  const cv::Size size(std::min(side, bgr.cols), std::min(side, bgr.rows));
  constexpr int kStep = 4;
  const cv::Size small_size(std::max(1, bgr.cols / kStep), std::max(1, bgr.rows / kStep));
  cv::Mat small, grey, dx, dy, sums;
  cv::resize(bgr, small, small_size, 0, 0, cv::INTER_AREA);
  cv::cvtColor(small, grey, cv::COLOR_BGR2GRAY);
  cv::Sobel(grey, dx, CV_32F, 1, 0);
  cv::Sobel(grey, dy, CV_32F, 0, 1);
  // Roots, so that one hard border does not outweigh a whole texture.
  cv::Mat edges = cv::abs(dx) + cv::abs(dy);
  cv::sqrt(edges, edges);
  cv::integral(edges, sums, CV_64F);
  const int w = std::max(1, size.width / kStep), h = std::max(1, size.height / kStep);
  double best = -1;
  cv::Point place;
  for (int y = 0; y + h <= edges.rows; ++y) {
    for (int x = 0; x + w <= edges.cols; ++x) {
      const double sum =
          sums.at<double>(y + h, x + w) - sums.at<double>(y, x + w) - sums.at<double>(y + h, x) + sums.at<double>(y, x);
      if (sum > best) best = sum, place = {x * kStep, y * kStep};
    }
  }
  return {{std::min(place.x, bgr.cols - size.width), std::min(place.y, bgr.rows - size.height)}, size};
}

std::string jpeg_uri(const cv::Mat& bgr, int quality) {
  Image image;
  image.pixels = bgr;
  return "data:image/jpeg;base64," + base64(encode_image(image, "jpg", {.jpeg_quality = quality}));
}

cv::Mat shrunk(const cv::Mat& bgr, int longest) { return resized(bgr, fitted(bgr.size(), longest)); }

std::string figure(const fs::path& file, const std::string& caption, const std::string& part) {
  constexpr int kSide = 420;  // pixels
  return fmt::format("<figure><img src=\"{}\" alt=\"\"><figcaption>{}</figcaption></figure>\n",
                     jpeg_uri(shrunk(displayable(read_part(file, part)), kSide), 85), html(caption));
}

std::string picture_slider(const fs::path& page_folder, const std::vector<std::string>& files, const std::string& caption) {
  const cv::Size size = picture_size(page_folder / files.front());
  const std::size_t name = files.front().rfind('/') + 1;  // 0 without a folder
  std::string names;
  for (const std::string& file : files) names += (names.empty() ? "" : " ") + as_address(file.substr(name));
  return fmt::format(
      "<div class=\"slices\" data-folder=\"{0}\" data-files=\"{1}\"><img src=\"{2}\" width=\"{3}\" height=\"{4}\" "
      "loading=\"lazy\" alt=\"\">\n<input type=\"range\" min=\"1\" max=\"{5}\" value=\"1\" autocomplete=\"off\" "
      "aria-label=\"{6}\"><label>{6}: <output>picture {7} (1 of {5})</output></label></div>\n",
      as_address(files.front().substr(0, name)), names, as_address(files.front()), size.width, size.height, files.size(),
      html(caption), std::atoi(files.front().c_str() + name));
}

EntryPictures make_entry_pictures(const fs::path& input, const fs::path& output, const std::vector<fs::path>& overlays,
                                  const std::string& page) {
  const cv::Mat before = displayable(read_part(input, page)), after = displayable(read_image(output));
  EntryPictures pictures;
  pictures.input = before.size();
  pictures.output = after.size();
  const cv::Size whole = fitted(after.size(), kWhole);
  pictures.before = jpeg_uri(resized(before, whole), 82);
  pictures.after = jpeg_uri(resized(after, whole), 82);
  const cv::Rect part = most_detailed(after, kDetail);
  const cv::Mat bicubic = bicubic_part(before, after.size(), part);
  pictures.detail = part.size();
  pictures.detail_before = jpeg_uri(bicubic, 92);
  pictures.detail_after = jpeg_uri(after(part).clone(), 92);
  const std::size_t shown = std::min(kMaps, overlays.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const cv::Mat overlay = displayable(read_image(overlays[i * overlays.size() / shown]));
    pictures.maps.push_back(jpeg_uri(resized(overlay, fitted(overlay.size(), kMap)), 80));
  }
  return pictures;
}

}  // namespace fovea
