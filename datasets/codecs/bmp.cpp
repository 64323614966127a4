// BMP with OpenCV, behind checks of its header: OpenCV reports what fails on stderr.
#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

struct Header {
  std::uint32_t offset = 0, size = 0, compression = 0;
  std::int64_t width = 0, height = 0, bits = 0;
};

template <class T>
T at(View bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

Header read_header(View bytes, const std::string& name) {
  check(bytes.size() >= 26, name, ": truncated BMP: it has ", bytes.size(), " bytes");
  Header h;
  h.offset = at<std::uint32_t>(bytes, 10);
  h.size = at<std::uint32_t>(bytes, 14);
  if (h.size == 12) {  // OS/2
    h.width = at<std::uint16_t>(bytes, 18);
    h.height = at<std::uint16_t>(bytes, 20);
    h.bits = at<std::uint16_t>(bytes, 24);
    return h;
  }
  check(h.size >= 40 && h.size <= 124, name, ": damaged BMP: a header of ", h.size, " bytes");
  check(bytes.size() >= 14 + std::size_t{h.size}, name, ": truncated BMP: it has ", bytes.size(), " bytes");
  h.width = at<std::int32_t>(bytes, 18);
  h.height = std::abs(std::int64_t{at<std::int32_t>(bytes, 22)});  // negative: top row first
  h.bits = at<std::uint16_t>(bytes, 28);
  h.compression = at<std::uint32_t>(bytes, 30);
  return h;
}

}  // namespace

Decoded decode_bmp(View bytes, const std::string& name) {
  const Header h = read_header(bytes, name);
  const bool runs = h.compression == 1 || h.compression == 2;  // of at most 255 pixels in two bytes
  const auto size = static_cast<std::int64_t>(bytes.size());
  check_size(h.width, h.height, name, runs ? size * 128 : INT64_MAX);
  check(size <= INT32_MAX, name, ": too large: BMP of more than 2 GiB cannot be read");
  check(runs || h.compression == 0 || h.compression == 3, name, ": BMP of compression ", h.compression, " cannot be read");
  const std::int64_t row = (h.width * h.bits + 31) / 32 * 4;
  check(h.offset <= bytes.size() && (runs || row * h.height <= size - h.offset), name, ": truncated BMP: ", h.width, "x",
        h.height, " pixels of ", h.bits, " bits do not fit into its ", bytes.size(), " bytes");
  Decoded out;
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<std::uint8_t*>(bytes.data()));
  out.image.pixels = cv::imdecode(raw, cv::IMREAD_UNCHANGED);
  check(!out.image.pixels.empty(), name, ": damaged BMP");
  if (out.image.pixels.channels() == 4) {
    cv::Mat alpha;
    cv::extractChannel(out.image.pixels, alpha, 3);
    if (cv::countNonZero(alpha) == 0) {  // most writers leave the fourth byte empty: opaque, not invisible
      cv::Mat colours(out.image.pixels.size(), CV_8UC3);
      cv::mixChannels(out.image.pixels, colours, {0, 0, 1, 1, 2, 2});
      out.image.pixels = colours;
    }
  }
  out.image.grey = out.image.pixels.channels() == 1;
  return out;
}

Buffer encode_bmp(const Image& image, const EncodeOptions&) {
  Buffer bytes;
  check(cv::imencode(".bmp", image.pixels, bytes), "BMP: cannot be written");
  return bytes;
}

}  // namespace fovea::codec
