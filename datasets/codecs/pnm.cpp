// PBM, PGM, PPM and PAM: a header in words, then numbers in words (P1 to P3) or in bytes (P4 to P7). https://netpbm.sourceforge.net/doc/
#include <cctype>
#include <string_view>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

class Reader {
 public:
  Reader(View bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Decoded read() {
    kind_ = bytes_[1];
    at_ = 2;
    if (kind_ == '7') {
      read_words();
    } else {
      width_ = number();
      height_ = number();
      if (kind_ != '1' && kind_ != '4') top_ = number();
      channels_ = kind_ == '3' || kind_ == '6' ? 3 : 1;
      if (kind_ > '3') blank();
    }
    check(top_ >= 1 && top_ <= 65535, name_, ": damaged PNM: its largest value is ", top_, ", expected 1 to 65535");
    const auto left = static_cast<std::int64_t>(bytes_.size() - at_);
    check_size(width_, height_, name_, left * 8);
    Decoded out;
    cv::Mat& pixels = out.image.pixels;
    // Grey with alpha is four channels here.
    const int stored = channels_ == 2 ? 4 : static_cast<int>(channels_);
    pixels.create(static_cast<int>(height_), static_cast<int>(width_), CV_MAKETYPE(top_ > 255 ? CV_16U : CV_8U, stored));
    for (int y = 0; y < pixels.rows; ++y) top_ > 255 ? read_row<std::uint16_t>(pixels, y) : read_row<std::uint8_t>(pixels, y);
    out.image.grey = channels_ <= 2;
    return out;
  }

 private:
  int byte() {
    check(at_ < bytes_.size(), name_, ": truncated PNM: it has ", bytes_.size(), " bytes");
    return bytes_[at_++];
  }
  // One blank ends the header: what follows may look like another.
  void blank() { check(std::isspace(byte()), name_, ": damaged PNM: its header does not end"); }
  void skip_blanks() {
    for (int c = byte();; c = byte()) {
      if (c == '#')
        while (c != '\n' && c != '\r') c = byte();
      if (!std::isspace(c)) break;
    }
    --at_;
  }
  std::int64_t number() {
    skip_blanks();
    check(std::isdigit(bytes_[at_]), name_, ": damaged PNM: expected a number at byte ", at_);
    std::int64_t value = 0;
    for (; at_ < bytes_.size() && std::isdigit(bytes_[at_]); ++at_) {
      value = value * 10 + (bytes_[at_] - '0');
      check(value <= INT32_MAX, name_, ": damaged PNM: a number at byte ", at_, " is too large");
    }
    return value;
  }
  std::string word() {
    skip_blanks();
    std::string text;
    for (; at_ < bytes_.size() && !std::isspace(bytes_[at_]) && text.size() < 64; ++at_) text += static_cast<char>(bytes_[at_]);
    return text;
  }

  // PAM: "WIDTH 3" a line, up to ENDHDR.
  void read_words() {
    for (std::string key = word(); key != "ENDHDR"; key = word()) {
      if (key == "WIDTH") width_ = number();
      else if (key == "HEIGHT") height_ = number();
      else if (key == "DEPTH") channels_ = number();
      else if (key == "MAXVAL") top_ = number();
      else if (key == "TUPLTYPE") word();
      else fail(name_, ": damaged PNM: an unknown word in its header: ", key);
    }
    while (byte() != '\n') {}
    if (channels_ < 1 || channels_ > 4) unsupported(name_, "a PAM of ", channels_, " channels");
  }

  // A bit is black where it is set.
  int sample(int x) {
    if (kind_ == '1') {
      skip_blanks();
      const int digit = byte();
      check(digit == '0' || digit == '1', name_, ": damaged PNM: expected 0 or 1 at byte ", at_ - 1);
      return '1' - digit;
    }
    if (kind_ == '4') {
      if (x % 8 == 0) bits_ = byte();
      return (bits_ >> (7 - x % 8) & 1) ^ 1;
    }
    std::int64_t value = 0;
    if (kind_ < '4') value = number();
    else value = top_ > 255 ? byte() << 8 : byte();
    if (kind_ > '4' && top_ > 255) value |= byte();
    check(value <= top_, name_, ": damaged PNM: a value of ", value, " where at most ", top_, " was announced");
    return static_cast<int>(value);
  }

  template <class T>
  void read_row(cv::Mat& pixels, int y) {
    constexpr std::int64_t kTop = sizeof(T) == 1 ? 255 : 65535;
    const auto channels = static_cast<int>(channels_);
    T* to = pixels.ptr<T>(y);
    for (int x = 0; x < pixels.cols; ++x, to += pixels.channels())
      for (int c = 0; c < channels; ++c) {
        const auto value = static_cast<T>((sample(x) * kTop + top_ / 2) / top_);
        if (channels == 2 && c == 0) to[0] = to[1] = to[2] = value;
        else to[channels == 2 ? 3 : channels >= 3 && c < 3 ? 2 - c : c] = value;
      }
  }

  View bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
  int kind_ = 0, bits_ = 0;
  std::int64_t width_ = 0, height_ = 0, top_ = 1, channels_ = 1;
};

}  // namespace

Decoded decode_pnm(View bytes, const std::string& name) { return Reader(bytes, name).read(); }

}  // namespace fovea::codec
