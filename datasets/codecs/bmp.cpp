// BMP: palettes, masks, run lengths, headers from OS/2's to Windows' fifth; a JPEG or PNG inside it.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "datasets/codecs/bmp_header.hpp"

namespace fovea::codec {
namespace {

using Packing = BmpHeader::Packing;

View row_of(const BmpHeader& h, int y) {
  const auto bytes = static_cast<std::size_t>(h.row_bytes());
  const std::int64_t row = h.top_down ? y : h.height - 1 - y;
  return h.pixels.subspan(static_cast<std::size_t>(row) * bytes, bytes);
}

cv::Mat indices(const BmpHeader& h, const std::string& name) {
  if (h.packing == Packing::runs) return read_bmp_runs(h, name);
  cv::Mat out(static_cast<int>(h.height), static_cast<int>(h.width), CV_8UC1);
  const int in_byte = 8 / h.bits, mask = (1 << h.bits) - 1;
  for (int y = 0; y < out.rows; ++y) {
    const View row = row_of(h, y);
    std::uint8_t* to = out.ptr(y);
    for (int x = 0; x < out.cols; ++x) {
      const int shift = 8 - h.bits * (x % in_byte + 1);
      to[x] = static_cast<std::uint8_t>(row[static_cast<std::size_t>(x / in_byte)] >> shift & mask);
    }
  }
  return out;
}

cv::Mat coloured(const BmpHeader& h, const cv::Mat& index, const std::string& name) {
  double largest = 0;
  cv::minMaxLoc(index, nullptr, &largest);
  check(largest < static_cast<double>(h.palette.size()), name, ": damaged BMP: a pixel has colour ", largest, " of a palette of ",
        h.palette.size());
  const bool grey =
      std::all_of(h.palette.begin(), h.palette.end(), [](const cv::Vec3b& c) { return c[0] == c[1] && c[1] == c[2]; });
  cv::Mat out(index.size(), grey ? CV_8UC1 : CV_8UC3);
  const std::size_t channels = out.elemSize();
  for (int y = 0; y < out.rows; ++y) {
    const std::uint8_t* from = index.ptr(y);
    std::uint8_t* to = out.ptr(y);
    for (int x = 0; x < out.cols; ++x, to += channels) std::memcpy(to, h.palette[from[x]].val, channels);
  }
  return out;
}

// A channel of any number of bits as one of 8: 31 of 31 is 255.
class Channel {
 public:
  explicit Channel(std::uint32_t mask) : mask_(mask), shift_(mask ? std::countr_zero(mask) : 0), top_(mask >> shift_) {
    if (top_ <= 0xff)
      for (std::uint32_t v = 0; top_ && v <= top_; ++v) table_[v] = scaled(v);
  }
  std::uint8_t operator()(std::uint32_t pixel) const {
    const std::uint32_t value = (pixel & mask_) >> shift_;
    return top_ <= 0xff ? table_[value] : scaled(value);
  }

 private:
  std::uint8_t scaled(std::uint32_t v) const { return static_cast<std::uint8_t>((std::uint64_t{v} * 255 + top_ / 2) / top_); }

  std::uint32_t mask_;
  int shift_;
  std::uint32_t top_;
  std::array<std::uint8_t, 256> table_{};
};

cv::Mat masked(const BmpHeader& h) {
  const std::array<Channel, 4> channels{Channel(h.masks[0]), Channel(h.masks[1]), Channel(h.masks[2]), Channel(h.masks[3])};
  cv::Mat out(static_cast<int>(h.height), static_cast<int>(h.width), h.masks[3] ? CV_8UC4 : CV_8UC3);
  const auto count = static_cast<std::size_t>(out.channels());
  for (int y = 0; y < out.rows; ++y) {
    const std::uint8_t* from = row_of(h, y).data();
    std::uint8_t* to = out.ptr(y);
    for (int x = 0; x < out.cols; ++x, to += count) {
      std::uint32_t pixel = std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8;
      if (h.bits == 32) pixel |= std::uint32_t{from[2]} << 16 | std::uint32_t{from[3]} << 24;
      from += h.bits / 8;
      for (std::size_t c = 0; c < count; ++c) to[c] = channels[c](pixel);
    }
  }
  return out;
}

cv::Mat plain(const BmpHeader& h) {
  cv::Mat out(static_cast<int>(h.height), static_cast<int>(h.width), CV_8UC3);
  for (int y = 0; y < out.rows; ++y) std::memcpy(out.ptr(y), row_of(h, y).data(), static_cast<std::size_t>(out.cols) * 3);
  return out;
}

// 64 bits a pixel are linear light in steps of 1/8192, from -4 to 4; what is shown lies between 0 and 1.
cv::Mat linear(const BmpHeader& h) {
  constexpr int kOne = 8192;
  std::array<std::uint16_t, kOne + 1> srgb{};
  for (int v = 0; v <= kOne; ++v) {
    const double light = static_cast<double>(v) / kOne;
    const double shown = light <= 0.0031308 ? 12.92 * light : 1.055 * std::pow(light, 1 / 2.4) - 0.055;
    srgb[static_cast<std::size_t>(v)] = static_cast<std::uint16_t>(std::lround(shown * 65535));
  }
  cv::Mat out(static_cast<int>(h.height), static_cast<int>(h.width), CV_16UC4);
  for (int y = 0; y < out.rows; ++y) {
    const View row = row_of(h, y);
    auto* to = out.ptr<std::uint16_t>(y);
    for (std::size_t i = 0; i < static_cast<std::size_t>(out.cols) * 4; ++i) {
      const auto value = static_cast<std::int16_t>(row[2 * i] | row[2 * i + 1] << 8);
      const int clipped = std::clamp<int>(value, 0, kOne);
      to[i] =
          i % 4 == 3 ? static_cast<std::uint16_t>((clipped * 65535 + kOne / 2) / kOne) : srgb[static_cast<std::size_t>(clipped)];
    }
  }
  return out;
}

// Many writers leave the byte of alpha empty: then the picture is opaque, not invisible.
void drop_empty_alpha(cv::Mat& pixels) {
  if (pixels.channels() != 4) return;
  cv::Mat alpha;
  cv::extractChannel(pixels, alpha, 3);
  if (cv::countNonZero(alpha) > 0) return;
  cv::Mat colours(pixels.size(), CV_MAKETYPE(pixels.depth(), 3));
  cv::mixChannels(pixels, colours, {0, 0, 1, 1, 2, 2});
  pixels = colours;
}

class Writer {
 public:
  void number(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> 8 * i));
  }
  void zeros(std::size_t count) { bytes.resize(bytes.size() + count); }

  Buffer bytes;
};

}  // namespace

Decoded decode_bmp(View bytes, const std::string& name) {
  const BmpHeader h = read_bmp_header(bytes, name);
  if (h.packing == Packing::jpeg) return decode_jpeg(h.pixels, name);
  if (h.packing == Packing::png) return decode_png(h.pixels, name);
  const auto left = static_cast<std::int64_t>(h.pixels.size());
  // Two bytes stand for up to 255 pixels; small pictures may end at once.
  constexpr std::int64_t kSmall = 1 << 20;
  check_size(h.width, h.height, name, h.packing == Packing::runs ? std::max(left * 128, kSmall) : INT64_MAX);
  check(h.packing == Packing::runs || h.row_bytes() * h.height <= left, name, ": truncated BMP: ", h.width, "x", h.height,
        " pixels of ", h.bits, " bits do not fit into its ", bytes.size(), " bytes");
  Decoded out;
  cv::Mat& pixels = out.image.pixels;
  if (h.bits <= 8) pixels = coloured(h, indices(h, name), name);
  else if (h.bits == 24) pixels = h.packing == Packing::runs ? read_bmp_runs(h, name) : plain(h);
  else pixels = h.bits == 64 ? linear(h) : masked(h);
  drop_empty_alpha(pixels);
  out.image.grey = pixels.channels() == 1;
  out.image.icc.assign(h.icc.begin(), h.icc.end());
  return out;
}

// The oldest header that holds it: 40 bytes for grey (a palette) and colour, the fifth version where there is alpha or a profile.
Buffer encode_bmp(const Image& image, const EncodeOptions&) {
  const cv::Mat& pixels = image.pixels;
  const int channels = pixels.channels(), bits = 8 * channels;
  const bool extended = channels == 4 || !image.icc.empty();
  const std::size_t header = extended ? 124 : 40, palette = channels == 1 ? 256 * 4 : 0;
  const std::size_t row = static_cast<std::size_t>(pixels.cols) * static_cast<std::size_t>(channels);
  const std::size_t padding = (4 - row % 4) % 4, body = (row + padding) * static_cast<std::size_t>(pixels.rows);
  const std::size_t offset = 14 + header + palette, profile = offset + body, size = profile + image.icc.size();
  check(size <= UINT32_MAX, "BMP cannot hold ", pixels.cols, "x", pixels.rows, " pixels: at most 4 GiB; use png or tif");
  Writer to;
  to.bytes.reserve(size);
  to.number('B' | 'M' << 8, 2);
  to.number(size, 4);
  to.number(0, 4);
  to.number(offset, 4);
  to.number(header, 4);
  to.number(static_cast<std::uint64_t>(pixels.cols), 4);
  to.number(static_cast<std::uint64_t>(pixels.rows), 4);
  to.number(1, 2);
  to.number(static_cast<std::uint64_t>(bits), 2);
  to.number(channels == 4 ? 3 : 0, 4);  // 3: masks
  to.number(body, 4);
  to.number(2835, 4);  // 72 pixels an inch
  to.number(2835, 4);
  to.number(palette / 4, 4);
  to.number(0, 4);
  if (extended) {
    for (const std::uint32_t mask : {0xff0000u, 0xff00u, 0xffu, 0xff000000u}) to.number(channels == 4 ? mask : 0, 4);
    to.number(image.icc.empty() ? 0x73524742 : 0x4d424544, 4);  // "sRGB", "MBED"
    to.zeros(48);                                               // end points and gammas, which both make meaningless
    to.number(4, 4);                                            // intent: pictures
    to.number(image.icc.empty() ? 0 : profile - 14, 4);
    to.number(image.icc.size(), 4);
    to.number(0, 4);
  }
  for (std::uint32_t v = 0; v < palette / 4; ++v) to.number(v * 0x010101, 4);
  for (int y = pixels.rows - 1; y >= 0; --y) {
    to.bytes.insert(to.bytes.end(), pixels.ptr(y), pixels.ptr(y) + row);
    to.zeros(padding);
  }
  to.bytes.insert(to.bytes.end(), image.icc.begin(), image.icc.end());
  return std::move(to.bytes);
}

}  // namespace fovea::codec
