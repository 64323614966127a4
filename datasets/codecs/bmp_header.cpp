// https://learn.microsoft.com/windows/win32/gdi/bitmap-header-types; OS/2's are described in the source of Netpbm.
#include "datasets/codecs/bmp_header.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace fovea::codec {
namespace {

constexpr std::size_t kFileHeader = 14, kOs2Header = 12, kInfoHeader = 40, kOs2Largest = 64, kV5Header = 124;
constexpr std::uint32_t kEmbeddedProfile = 0x4d424544;  // "MBED"
enum Compression : std::uint32_t { kNone, kRle8, kRle4, kMasks, kJpeg, kPng, kMasksWithAlpha };
constexpr std::uint32_t kOs2Huffman = 3, kOs2Rle24 = 4;  // what 3 and 4 mean in OS/2's second header

class Reader {
 public:
  Reader(View bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  BmpHeader read() {
    check(bytes_.size() >= kFileHeader + kOs2Header, name_, ": truncated BMP: it has ", bytes_.size(), " bytes");
    offset_ = number(10, 4);
    size_ = number(14, 4);
    check(size_ == kOs2Header || (size_ >= 16 && size_ <= kV5Header), name_, ": damaged BMP: a header of ", size_, " bytes");
    check(bytes_.size() - kFileHeader >= size_, name_, ": truncated BMP: it has ", bytes_.size(), " bytes");
    read_size();
    h_.masks = {};
    if (size_ >= 20 && size_ <= kV5Header) read_compression();
    check_depth();
    std::size_t after = kFileHeader + size_;  // where the palette begins
    if (h_.packing == BmpHeader::Packing::none && (h_.bits == 16 || h_.bits == 32)) after += read_masks();
    if (h_.bits <= 8 && h_.bits > 0) after += read_palette(after);
    read_profile();
    // Some writers leave the offset out.
    const std::size_t start = offset_ < kFileHeader + size_ ? after : offset_;
    check(start < bytes_.size(), name_, ": truncated BMP: its pixels begin at byte ", start, " of ", bytes_.size());
    h_.pixels = bytes_.subspan(start);
    return std::move(h_);
  }

 private:
  std::uint32_t number(std::size_t at, std::size_t width) const {
    check(at + width <= bytes_.size(), name_, ": truncated BMP: it has ", bytes_.size(), " bytes");
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value |= std::uint32_t{bytes_[at + i]} << 8 * i;
    return value;
  }

  void read_size() {
    const bool old = size_ == kOs2Header;
    h_.width = old ? std::int64_t{number(18, 2)} : static_cast<std::int32_t>(number(18, 4));
    h_.height = old ? std::int64_t{number(20, 2)} : static_cast<std::int32_t>(number(22, 4));
    h_.bits = static_cast<int>(number(old ? 24 : 28, 2));
    h_.top_down = h_.height < 0;
    h_.height = std::abs(h_.height);
  }

  void read_compression() {
    compression_ = number(30, 4);
    using enum BmpHeader::Packing;
    // A 40-byte header is Windows' or a shortened OS/2's: 24 bits tell the latter's runs from a JPEG file.
    const bool os2 = size_ == kOs2Largest || (size_ <= kInfoHeader && h_.bits != 0);
    if (size_ == kOs2Largest && compression_ == kOs2Huffman) unsupported(name_, "a BMP of OS/2's Huffman compression");
    if ((compression_ == kRle8 && h_.bits == 8) || (compression_ == kRle4 && h_.bits == 4) ||
        (compression_ == kOs2Rle24 && os2 && h_.bits == 24))
      h_.packing = runs;
    else if (compression_ == kJpeg) h_.packing = jpeg;
    else if (compression_ == kPng) h_.packing = png;
    else if (compression_ != kNone && compression_ != kMasks && compression_ != kMasksWithAlpha)
      unsupported(name_, "a BMP of compression ", compression_, " with ", h_.bits, " bits a pixel");
  }

  void check_depth() const {
    using enum BmpHeader::Packing;
    if (h_.packing == jpeg || h_.packing == png) return;
    constexpr int kKnown[] = {1, 2, 4, 8, 16, 24, 32, 64};
    if (std::find(std::begin(kKnown), std::end(kKnown), h_.bits) == std::end(kKnown))
      unsupported(name_, "a BMP of ", h_.bits, " bits a pixel");
  }

  // Gives the bytes that masks take behind the header.
  std::size_t read_masks() {
    const bool own = compression_ == kMasks || compression_ == kMasksWithAlpha;
    if (!own) {
      h_.masks = h_.bits == 16 ? std::array<std::uint32_t, 4>{0x1f, 0x3e0, 0x7c00, 0}
                               : std::array<std::uint32_t, 4>{0xff, 0xff00, 0xff0000, 0};
      return 0;
    }
    // Headers of 52 bytes and more hold them, those of 56 and more alpha's too.
    const bool alpha = compression_ == kMasksWithAlpha || (size_ >= 56 && size_ != kOs2Largest);
    for (std::size_t i = 0; i < 3; ++i) h_.masks[2 - i] = number(54 + 4 * i, 4);
    if (alpha) h_.masks[3] = number(66, 4);
    for (const std::uint32_t mask : h_.masks) {
      const std::uint32_t ones = mask ? mask >> std::countr_zero(mask) : 0;
      check((ones & (ones + 1)) == 0 && (h_.bits == 32 || mask <= 0xffff), name_, ": damaged BMP: a channel's mask is ", mask);
    }
    check((h_.masks[0] | h_.masks[1] | h_.masks[2]) != 0, name_, ": damaged BMP: all masks are empty");
    return size_ > kInfoHeader ? 0 : alpha ? 16 : 12;
  }

  // Gives the bytes that it takes.
  std::size_t read_palette(std::size_t at) {
    const std::size_t entry = size_ == kOs2Header ? 3 : 4;
    std::size_t count = size_ >= 36 ? number(46, 4) : 0;
    if (count == 0) count = std::size_t{1} << h_.bits;
    // Between the header and the pixels there may be room for fewer, and a palette longer than the indices reach.
    const std::size_t end = offset_ > at && offset_ <= bytes_.size() ? offset_ : bytes_.size();
    check(at < end, name_, ": truncated or damaged BMP: it has no palette");
    count = std::min(count, (end - at) / entry);
    for (std::size_t i = 0; i < std::min(count, std::size_t{1} << h_.bits); ++i) {
      const std::uint8_t* colour = bytes_.data() + at + i * entry;
      h_.palette.emplace_back(colour[0], colour[1], colour[2]);
    }
    return count * entry;
  }

  void read_profile() {
    if (size_ != kV5Header || number(70, 4) != kEmbeddedProfile) return;
    const std::size_t at = kFileHeader + std::size_t{number(126, 4)}, length = number(130, 4);
    check(at <= bytes_.size() && length <= bytes_.size() - at, name_,
          ": truncated or damaged BMP: its profile lies behind its end");
    h_.icc = bytes_.subspan(at, length);
  }

  View bytes_;
  const std::string& name_;
  BmpHeader h_;
  std::size_t offset_ = 0, size_ = 0;
  std::uint32_t compression_ = 0;
};

// Writes pixels in the order of the file: from left to right, then the next row.
class Runs {
 public:
  Runs(const BmpHeader& header, const std::string& name)
      : h_(header),
        name_(name),
        rest_(header.pixels),
        out_(cv::Mat::zeros(static_cast<int>(h_.height), static_cast<int>(h_.width), h_.bits == 24 ? CV_8UC3 : CV_8UC1)) {}

  cv::Mat read() {
    while (y_ < h_.height) {
      const std::uint8_t count = byte();
      if (count > 0) {
        run(count);
        continue;
      }
      const std::uint8_t code = byte();
      if (code == 1) return std::move(out_);  // end of the picture
      if (code == 0) {
        x_ = 0, ++y_;
      } else if (code == 2) {
        x_ += byte();
        y_ += byte();
      } else {
        literal(code);
      }
    }
    return std::move(out_);
  }

 private:
  std::uint8_t byte() {
    check(!rest_.empty(), name_, ": truncated BMP: its runs end in row ", y_ + 1, " of ", h_.height);
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }

  void put(const std::uint8_t* value) {
    // Four bits: an odd width's last half byte may be counted.
    if (h_.bits == 4 && x_ == h_.width) return;
    check(x_ < h_.width && y_ < h_.height, name_, ": damaged BMP: a run leaves the picture in row ", y_ + 1);
    const auto row = static_cast<int>(h_.top_down ? y_ : h_.height - 1 - y_);
    std::copy_n(value, out_.elemSize(), out_.ptr(row, static_cast<int>(x_++)));
  }

  void run(int count) {
    std::uint8_t value[3] = {byte()};
    if (h_.bits == 24) value[1] = byte(), value[2] = byte();
    const std::uint8_t halves[2] = {static_cast<std::uint8_t>(value[0] >> 4), static_cast<std::uint8_t>(value[0] & 15)};
    for (int i = 0; i < count; ++i) put(h_.bits == 4 ? &halves[i % 2] : value);
  }

  void literal(int count) {
    const int bytes = h_.bits == 4 ? (count + 1) / 2 : h_.bits == 24 ? count * 3 : count;
    std::uint8_t value[3] = {};
    for (int i = 0; i < count; ++i) {
      if (h_.bits == 4) {
        if (i % 2 == 0) value[1] = byte();
        value[0] = static_cast<std::uint8_t>(i % 2 == 0 ? value[1] >> 4 : value[1] & 15);
      } else {
        for (int k = 0; k < h_.bits / 8; ++k) value[k] = byte();
      }
      put(value);
    }
    if (bytes % 2) byte();
  }

  const BmpHeader& h_;
  const std::string& name_;
  View rest_;
  cv::Mat out_;
  std::int64_t x_ = 0, y_ = 0;
};

}  // namespace

BmpHeader read_bmp_header(View bytes, const std::string& name) { return Reader(bytes, name).read(); }

cv::Mat read_bmp_runs(const BmpHeader& header, const std::string& name) { return Runs(header, name).read(); }

}  // namespace fovea::codec
