#include "datasets/image.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <new>
#include <opencv2/imgproc.hpp>
#include <string_view>

#include "datasets/codecs/codec.hpp"

namespace fovea {
namespace codec {

void check_size(std::int64_t width, std::int64_t height, const std::string& name, std::int64_t most) {
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 30, kMostSide = 1 << 30;
  check(width > 0 && height > 0, name, ": damaged: it has ", width, "x", height, " pixels");
  check(width <= kMostSide && height <= kMostSide && width * height <= kMostPixels, name, ": too large: it has ", width, "x",
        height, " pixels, at most 2^30 are read; cut or shrink it first");
  check(width * height <= most, name, ": truncated or damaged: ", width, "x", height,
        " pixels cannot come from a file this small");
}

cv::Mat grey_and_alpha(const Image& image) {
  cv::Mat out(image.pixels.size(), CV_MAKETYPE(image.pixels.depth(), 2));
  cv::mixChannels(image.pixels, out, {0, 0, 3, 1});
  return out;
}

}  // namespace codec

namespace {

using codec::Buffer;
using codec::Decoded;
using codec::View;

struct Format {
  const char* name;        // for people
  const char* extensions;  // each between blanks, the first is canonical
  Decoded (*decode)(View, const std::string&);
  Buffer (*encode)(const Image&, const EncodeOptions&);
  bool deep, alpha;  // holds 16 bit, alpha
};
constexpr Format kFormats[] = {{"PNG", " png ", codec::decode_png, codec::encode_png, true, true},
                               {"JPEG", " jpg jpeg jpe jfif ", codec::decode_jpeg, codec::encode_jpeg, false, false},
                               {"TIFF", " tif tiff ", codec::decode_tiff, codec::encode_tiff, true, true},
                               {"BMP", " bmp dib ", codec::decode_bmp, codec::encode_bmp, false, false},
                               {"WebP", " webp ", codec::decode_webp, codec::encode_webp, false, true}};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

const Format* by_extension(const std::string& extension) {
  if (extension.empty() || extension.find(' ') != std::string::npos) return nullptr;
  const std::string word = " " + lower(extension) + " ";
  const auto* found = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) {
    return std::string_view(f.extensions).find(word) != std::string_view::npos;
  });
  return found == std::end(kFormats) ? nullptr : found;
}

bool has(const Buffer& bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()) + at, text.size()) == text;
}

const Format* by_content(const Buffer& b) {
  using std::string_view_literals::operator""sv;
  if (has(b, 0, "\x89PNG\r\n\x1a\n")) return &kFormats[0];
  if (has(b, 0, "\xff\xd8\xff")) return &kFormats[1];
  if (has(b, 0, "II*\0"sv) || has(b, 0, "MM\0*"sv) || has(b, 0, "II+\0"sv) || has(b, 0, "MM\0+"sv)) return &kFormats[2];
  if (has(b, 0, "RIFF") && has(b, 8, "WEBP")) return &kFormats[4];
  if (has(b, 0, "BM")) return &kFormats[3];
  return nullptr;
}

void turn(cv::Mat& pixels, int orientation) {
  cv::Mat out;
  switch (orientation) {
    case 2: cv::flip(pixels, out, 1); break;
    case 3: cv::rotate(pixels, out, cv::ROTATE_180); break;
    case 4: cv::flip(pixels, out, 0); break;
    case 5: cv::transpose(pixels, out); break;
    case 6: cv::rotate(pixels, out, cv::ROTATE_90_CLOCKWISE); break;
    case 7:
      cv::rotate(pixels, out, cv::ROTATE_180);
      cv::transpose(out, out);
      break;
    case 8: cv::rotate(pixels, out, cv::ROTATE_90_COUNTERCLOCKWISE); break;
    default: return;
  }
  pixels = out;
}

// A profile for inks or for grey says nothing about colours: decoders of other programs refuse or misread such files.
bool fits(const Buffer& icc, bool grey) { return icc.size() >= 128 && has(icc, 16, grey ? "GRAY" : "RGB "); }

void check_encodable(const Image& image, const Format& format) {
  const cv::Mat& p = image.pixels;
  check(!p.empty() && p.dims == 2, format.name, ": cannot be written: the image is empty");
  check(p.depth() == CV_8U || p.depth() == CV_16U, format.name,
        ": cannot be written: expected 8 or 16 bit pixels; scale and convert first");
  check(p.channels() == 1 || p.channels() == 3 || p.channels() == 4, format.name,
        ": cannot be written: expected 1, 3 or 4 channels, got ", p.channels());
  check(format.deep || p.depth() == CV_8U, format.name, " cannot hold 16 bit pixels: use png or tif, or convert to 8 bit");
  check(format.alpha || p.channels() != 4, format.name, " cannot hold alpha: use png, tif or webp, or drop it");
}

// Another time there may be more: no fault of the file.
[[noreturn]] void no_memory(const std::string& name) { throw FileError(name + ": not enough memory for this image", ENOMEM); }

// What the libraries underneath throw becomes an Error with the file's name.
template <class F>
auto guarded(const std::string& name, F&& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) { no_memory(name); } catch (const std::length_error&) {
    no_memory(name);
  } catch (const cv::Exception& e) {
    if (e.code == cv::Error::StsNoMem) no_memory(name);
    fail(name, ": ", e.err);
  }
}

}  // namespace

Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  check(!bytes.empty(), name, ": the file is empty");
  const Format* format = by_content(bytes);
  check(format != nullptr, name, ": not an image: expected PNG, JPEG, TIFF, BMP or WebP");
  return guarded(name, [&] {
    Decoded decoded = format->decode(bytes, name);
    turn(decoded.image.pixels, decoded.orientation);
    if (!fits(decoded.image.icc, decoded.image.grey)) decoded.image.icc.clear();
    return std::move(decoded.image);
  });
}

Image read_image(const std::filesystem::path& file) { return decode_image(read_file(file), file.string()); }

std::vector<std::uint8_t> encode_image(const Image& image, const std::string& format, const EncodeOptions& options) {
  const Format* known = by_extension(format);
  check(known != nullptr, "image format \"", format, "\" is not known: expected png, jpg, tif, bmp or webp");
  check_encodable(image, *known);
  return guarded(known->name, [&] {
    Image plain{image.pixels, image.pixels.channels() == 1 || image.grey, image.icc};
    if (plain.pixels.channels() == 3) plain.grey = false;
    if (!fits(plain.icc, plain.grey && known->decode != codec::decode_webp)) plain.icc.clear();
    return known->encode(plain, options);
  });
}

bool is_image_extension(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  return extension.size() > 1 && by_extension(extension.substr(1)) != nullptr;
}

cv::Mat read_photo(const std::filesystem::path& file) {
  cv::Mat pixels = read_image(file).pixels;
  if (pixels.depth() == CV_16U) pixels.convertTo(pixels, CV_8U, 1.0 / 257);
  if (pixels.channels() == 4) cv::cvtColor(pixels, pixels, cv::COLOR_BGRA2BGR);
  return pixels;
}

}  // namespace fovea
