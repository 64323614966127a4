#include "datasets/image.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <new>
#include <opencv2/imgproc.hpp>
#include <string_view>

#include "datasets/codecs/formats.hpp"

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

bool has_text(View bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at && bytes.size() - at >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
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
using codec::Format;
using codec::has_text;

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
bool fits(const Buffer& icc, bool grey) { return icc.size() >= 128 && has_text(icc, 16, grey ? "GRAY" : "RGB "); }

void check_holds(const Format& format, cv::Size size, int depth, int channels) {
  check(format.deep || depth == CV_8U, format.name, " cannot hold 16 bit pixels: use png or tif, or convert to 8 bit");
  check(format.alpha || channels != 4, format.name, " cannot hold alpha: use png, tif, bmp or webp, or drop it");
  check(format.largest_side == 0 || std::max(size.width, size.height) <= format.largest_side, format.name, " cannot hold ",
        size.width, "x", size.height, " pixels: at most ", format.largest_side, " a side; use png or tif");
}

void check_encodable(const Image& image, const Format& format) {
  const cv::Mat& p = image.pixels;
  check(!p.empty() && p.dims == 2, format.name, ": cannot be written: the image is empty");
  check(p.depth() == CV_8U || p.depth() == CV_16U, format.name,
        ": cannot be written: expected 8 or 16 bit pixels; scale and convert first");
  check(p.channels() == 1 || p.channels() == 3 || p.channels() == 4, format.name,
        ": cannot be written: expected 1, 3 or 4 channels, got ", p.channels());
  check_holds(format, p.size(), p.depth(), p.channels());
}

bool readable(const Format& format) { return format.decode; }
bool optional(const Format& format) { return *format.dependency; }

std::string names_of(bool (*wanted)(const Format&)) {
  std::string names;
  for (const Format& format : codec::formats())
    if (wanted(format)) names += (names.empty() ? "" : ", ") + std::string(format.name);
  return names;
}

// Behind the name of a format that is not read.
std::string reason_of(const Format& format) {
  return *format.dependency ? std::string(" (this program was built without ") + format.dependency + ")" : std::string();
}

const Format* format_by_name(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  return extension.size() > 1 ? codec::by_extension(extension.substr(1)) : nullptr;
}

const Format& writable(const std::string& format) {
  const Format* known = codec::by_extension(format);
  check(known && known->encode, "image format \"", format, "\" cannot be written: expected png, jpg, tif, bmp or webp");
  return *known;
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

const Format& readable_format(const Buffer& bytes, const std::string& name) {
  check(!bytes.empty(), name, ": the file is empty");
  const Format* format = codec::by_content(bytes);
  check(format != nullptr, name, ": not an image: expected ", names_of(readable));
  if (!format->decode) codec::unsupported(name, format->name, reason_of(*format), "; expected ", names_of(readable));
  return *format;
}

}  // namespace

Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name, std::optional<std::size_t> page) {
  const Format& format = readable_format(bytes, name);
  return guarded(name, [&] {
    const std::size_t pages = format.count_pages ? format.count_pages(bytes, name) : 1;
    check(page.value_or(0) < std::max<std::size_t>(pages, 1), name, ": has ", pages, " pages, no page ", page.value_or(0) + 1);
    Decoded decoded = page && pages > 1 ? format.decode_page(bytes, name, *page) : format.decode(bytes, name);
    if (!page && pages > 1) decoded.image.notes.push_back("the first of " + std::to_string(pages) + " pages is read");
    turn(decoded.image.pixels, decoded.orientation);
    if (!fits(decoded.image.icc, decoded.image.grey)) decoded.image.icc.clear();
    decoded.image.format = format.name;
    return std::move(decoded.image);
  });
}

Image read_image(const std::filesystem::path& file, std::optional<std::size_t> page) {
  return decode_image(read_file(file), file.string(), page);
}

std::size_t count_pages(const std::filesystem::path& file) {
  const std::vector<std::uint8_t> bytes = read_file(file);
  const Format& format = readable_format(bytes, file.string());
  return guarded(file.string(),
                 [&] { return format.count_pages ? std::max<std::size_t>(format.count_pages(bytes, file.string()), 1) : 1; });
}

std::vector<std::uint8_t> encode_image(const Image& image, const std::string& format, const EncodeOptions& options) {
  const Format* known = &writable(format);
  check_encodable(image, *known);
  return guarded(known->name, [&] {
    Image plain{image.pixels, image.pixels.channels() == 1 || image.grey, image.icc};
    if (plain.pixels.channels() == 3) plain.grey = false;
    if (!fits(plain.icc, plain.grey && known->decode != codec::decode_webp)) plain.icc.clear();
    return known->encode(plain, options);
  });
}

void check_can_hold(const std::string& format, cv::Size size, int type) {
  check_holds(writable(format), size, CV_MAT_DEPTH(type), CV_MAT_CN(type));
}

bool is_image_extension(const std::filesystem::path& file) {
  const Format* format = format_by_name(file);
  return format && format->decode;
}

std::string unread_picture(const std::filesystem::path& file) {
  if (is_image_extension(file)) return {};
  if (const Format* format = format_by_name(file)) return format->name + reason_of(*format);
  std::array<char, 32> first{};
  std::ifstream in(file, std::ios::binary);
  in.read(first.data(), first.size());
  const codec::View bytes(reinterpret_cast<const std::uint8_t*>(first.data()), static_cast<std::size_t>(in.gcount()));
  const Format* format = codec::by_content(bytes);
  // Two letters or four bytes of no meaning are found in files of other kinds, too.
  if (!format || format->weak_signature) return {};
  return format->decode ? std::string(format->name) + " under a name that says something else"
                        : format->name + reason_of(*format);
}

std::string readable_formats() { return names_of(readable); }

std::string missing_formats() {
  std::string text;
  for (const Format& format : codec::formats())
    if (optional(format) && !format.decode)
      text += (text.empty() ? "" : ", ") + std::string(format.name) + " (" + format.dependency + ")";
  return text;
}

cv::Mat read_photo(const std::filesystem::path& file) {
  cv::Mat pixels = read_image(file).pixels;
  if (pixels.depth() == CV_16U) pixels.convertTo(pixels, CV_8U, 1.0 / 257);
  if (pixels.channels() == 4) cv::cvtColor(pixels, pixels, cv::COLOR_BGRA2BGR);
  return pixels;
}

}  // namespace fovea
