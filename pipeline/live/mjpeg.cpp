// Markers: ITU-T T.81, annex B. A marker is 0xff and a byte that is neither 0 nor 0xff; 0xff before it is fill.
#include "pipeline/live/mjpeg.hpp"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::uint8_t kStart = 0xd8, kEnd = 0xd9, kScan = 0xda;
constexpr std::int64_t kMostPixels = std::int64_t{1} << 25;
// An ICC profile fills up to 255. A bound keeps the walk linear over bytes that are made to look like beginnings everywhere.
constexpr int kMostSegments = 300;
constexpr std::size_t kLongestScanHeader = 14;

bool has_length(std::uint8_t marker) { return marker >= 0xc0 && marker != 0xff && !(marker >= 0xd0 && marker <= kEnd); }

bool is_frame_header(std::uint8_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

// One to four components, none of whose bytes is a start: that would be the next picture's, where this one is cut.
bool is_scan_header(std::span<const std::uint8_t> rest, std::size_t length) {
  if (length + 2 > kLongestScanHeader) return false;
  const auto header = rest.first(length);
  const std::uint8_t start[] = {0xff, kStart};
  return std::search(header.begin(), header.end(), std::begin(start), std::end(start)) == header.end();
}

std::size_t two_bytes(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::size_t>(bytes[at]) << 8 | bytes[at + 1];
}

}  // namespace

void JpegSplitter::feed(std::span<const std::uint8_t> bytes) {
  if (start_ > buffer_.size() / 2) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
    at_ -= start_;
    start_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<std::vector<std::uint8_t>> JpegSplitter::next() {
  while (started_ || find_start()) {
    const Step step = walk();
    if (step == Step::whole) {
      const auto begin = buffer_.begin();
      std::vector<std::uint8_t> picture(begin + static_cast<std::ptrdiff_t>(start_), begin + static_cast<std::ptrdiff_t>(at_));
      drop_to(at_);
      return picture;
    }
    if (step == Step::more && !finished_) return std::nullopt;
    give_up();
  }
  return std::nullopt;
}

bool JpegSplitter::find_start() {
  const std::uint8_t mark[] = {0xff, kStart};
  const auto found =
      std::search(buffer_.begin() + static_cast<std::ptrdiff_t>(start_), buffer_.end(), std::begin(mark), std::end(mark));
  const auto at = static_cast<std::size_t>(found - buffer_.begin());
  if (found == buffer_.end()) {  // the last byte may be half of it
    drop_to(buffer_.size() - (!buffer_.empty() && buffer_.back() == 0xff && start_ < buffer_.size() ? 1 : 0));
    return false;
  }
  drop_to(at);
  at_ = at + 2;
  started_ = true;
  return true;
}

JpegSplitter::Step JpegSplitter::walk() {
  Step step = in_scan_ ? Step::more : walk_header();
  if (step == Step::more && in_scan_) step = walk_scan();
  return at_ - start_ > longest_ ? Step::broken : step;
}

// From segment to segment, to the first scan.
JpegSplitter::Step JpegSplitter::walk_header() {
  while (at_ + 4 <= buffer_.size()) {
    if (buffer_[at_] != 0xff) return Step::broken;
    const std::uint8_t marker = buffer_[at_ + 1];
    if (marker == 0xff) {  // fill
      ++at_;
      continue;
    }
    const std::size_t length = two_bytes(buffer_, at_ + 2);
    if (!has_length(marker) || length < 2 || ++segments_ > kMostSegments) return Step::broken;
    if (marker == kScan) {
      if (at_ + 2 + length > buffer_.size() && length <= kLongestScanHeader) break;
      if (!is_scan_header(std::span(buffer_).subspan(at_ + 4), length - 2)) return Step::broken;
    }
    at_ += 2 + length;
    if (at_ - start_ > longest_) return Step::broken;
    if (marker == kScan) {
      in_scan_ = true;
      break;
    }
  }
  return Step::more;
}

// Codes hold no markers but restarts, so the first end is this picture's; a start says that the end was lost.
JpegSplitter::Step JpegSplitter::walk_scan() {
  for (; at_ + 2 <= buffer_.size() && at_ - start_ <= longest_; ++at_) {
    if (buffer_[at_] != 0xff) continue;
    if (buffer_[at_ + 1] == kStart) return Step::broken;
    if (buffer_[at_ + 1] == kEnd) {
      at_ += 2;
      return Step::whole;
    }
  }
  return Step::more;
}

void JpegSplitter::give_up() {
  ++passed_over_;
  // Codes were searched for a start on the way; a header may have been stepped over one, where it was cut short.
  drop_to(in_scan_ ? std::min(at_, buffer_.size()) : start_ + 2);
}

void JpegSplitter::drop_to(std::size_t at) {
  start_ = at_ = at;
  segments_ = 0;
  started_ = in_scan_ = false;
}

std::optional<cv::Size> jpeg_size(std::span<const std::uint8_t> jpeg) {
  if (jpeg.size() < 2 || jpeg[0] != 0xff || jpeg[1] != kStart) return std::nullopt;
  for (std::size_t at = 2; at + 9 <= jpeg.size();) {
    if (jpeg[at] != 0xff) return std::nullopt;
    const std::uint8_t marker = jpeg[at + 1];
    if (marker == 0xff) {
      ++at;
      continue;
    }
    if (is_frame_header(marker)) {
      return cv::Size(static_cast<int>(two_bytes(jpeg, at + 7)), static_cast<int>(two_bytes(jpeg, at + 5)));
    }
    if (!has_length(marker) || marker == kScan) return std::nullopt;
    at += 2 + std::max<std::size_t>(two_bytes(jpeg, at + 2), 2);
  }
  return std::nullopt;
}

cv::Mat decode_live_jpeg(const std::vector<std::uint8_t>& jpeg, const std::string& name) {
  const std::optional<cv::Size> size = jpeg_size(jpeg);
  check(size.has_value(), name, ": damaged JPEG: expected a header with a size, got none");
  check(std::int64_t{size->width} * size->height <= kMostPixels, name, ": too large: ", size->width, "x", size->height,
        " pixels, at most 2^25 are taken of a stream");
  cv::Mat pixels = decode_image(jpeg, name).pixels;
  if (pixels.channels() == 1) cv::cvtColor(pixels, pixels, cv::COLOR_GRAY2BGR);
  return pixels;
}

}  // namespace fovea
