// TIFF with libtiff, first page: 8 and 16 bit grey and colour as they are; palettes, bilevel, YCbCr, CMYK through its 8-bit converter.
#include <tiffio.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

constexpr tmsize_t kMostTile = 1 << 28;  // bytes
constexpr int kMostSamples = 16;

// The file in memory that libtiff reads or writes.
struct Memory {
  View input;
  Buffer output;
  bool writing = false;
  std::uint64_t at = 0;
  bool ran_out = false;  // libtiff only warns when what a tag points at is cut off
  std::string message;

  std::uint64_t size() const { return writing ? output.size() : input.size(); }
};

tmsize_t read_some(thandle_t handle, void* to, tmsize_t n) {
  auto* m = static_cast<Memory*>(handle);
  const std::uint64_t left = m->at < m->size() ? m->size() - m->at : 0;
  const std::uint64_t take = std::min<std::uint64_t>(left, static_cast<std::uint64_t>(n));
  if (take) std::memcpy(to, (m->writing ? m->output.data() : m->input.data()) + m->at, take);
  m->at += take;
  m->ran_out |= take < static_cast<std::uint64_t>(n);
  return static_cast<tmsize_t>(take);
}

tmsize_t write_some(thandle_t handle, void* from, tmsize_t n) try {
  auto* m = static_cast<Memory*>(handle);
  if (!m->writing) return 0;
  const auto end = m->at + static_cast<std::uint64_t>(n);
  if (end > m->output.size()) m->output.resize(end);
  std::memcpy(m->output.data() + m->at, from, static_cast<std::size_t>(n));
  m->at = end;
  return n;
} catch (const std::exception&) {
  return 0;  // libtiff reports the short write
}

toff_t seek(thandle_t handle, toff_t offset, int from) {
  auto* m = static_cast<Memory*>(handle);
  m->at = offset + (from == SEEK_CUR ? m->at : from == SEEK_END ? m->size() : 0);
  return m->at;
}

int keep_message(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto* m = static_cast<Memory*>(user);
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  try {
    if (m->message.empty()) m->message = text;
  } catch (const std::bad_alloc&) {}
  return 1;  // handled: nothing goes to stderr
}

using Tiff = std::unique_ptr<TIFF, void (*)(TIFF*)>;

Tiff open(Memory& memory, const char* mode) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(
      options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
  return Tiff(
      TIFFClientOpenExt(
          "image", mode, &memory, read_some, write_some, seek, [](thandle_t) { return 0; },
          [](thandle_t h) { return static_cast<toff_t>(static_cast<Memory*>(h)->size()); }, nullptr, nullptr, options.get()),
      TIFFClose);
}

struct Header {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK,
                planar = PLANARCONFIG_CONTIG;
  std::uint16_t orientation = 1, extras = 0, compression = COMPRESSION_NONE;
  bool premultiplied = false;

  int colours() const { return photometric == PHOTOMETRIC_RGB ? 3 : 1; }
  bool plain() const {
    const bool known =
        photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
    return known && (bits == 8 || bits == 16) && samples >= colours();
  }
  bool alpha() const { return samples > colours(); }
};

Header read_header(TIFF* tiff) {
  Header h;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &h.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &h.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &h.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &h.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &h.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &h.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &h.orientation);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &h.compression);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &h.photometric);
  std::uint16_t* kinds = nullptr;
  if (TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &h.extras, &kinds) && h.extras > 0)
    h.premultiplied = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
  if (h.compression == COMPRESSION_JPEG && h.photometric == PHOTOMETRIC_YCBCR && h.planar == PLANARCONFIG_CONTIG) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    h.photometric = PHOTOMETRIC_RGB;
  }
  return h;
}

// Where each sample of a pixel goes: colour reversed to BGR, grey with alpha spread over BGRA, further samples dropped.
template <class T>
void place(const Header& h, const T* from, T* to, std::uint32_t pixels, int sample, int step, int channels) {
  const bool spread = h.colours() == 1 && channels == 4 && sample == 0;
  const int target = h.colours() == 3 && sample < 3 ? 2 - sample : h.colours() == 1 && sample == 1 ? 3 : sample;
  if (target >= channels) return;
  const T flip = h.photometric == PHOTOMETRIC_MINISWHITE && sample == 0 ? static_cast<T>(~T{0}) : T{0};
  for (std::uint32_t x = 0; x < pixels; ++x) {
    const T value = static_cast<T>(from[static_cast<std::size_t>(x) * static_cast<std::size_t>(step)] ^ flip);
    T* pixel = to + static_cast<std::size_t>(x) * static_cast<std::size_t>(channels);
    if (spread) pixel[0] = pixel[1] = pixel[2] = value;
    else pixel[target] = value;
  }
}

template <class T>
void place_row(const Header& h, const void* row, cv::Mat& pixels, std::uint32_t y, std::uint32_t x, std::uint32_t count,
               int plane) {
  T* to = pixels.ptr<T>(static_cast<int>(y)) + static_cast<std::size_t>(x) * static_cast<std::size_t>(pixels.channels());
  const T* from = static_cast<const T*>(row);
  if (h.planar == PLANARCONFIG_SEPARATE) return place(h, from, to, count, plane, 1, pixels.channels());
  for (int s = 0; s < std::min<int>(h.samples, 4); ++s) place(h, from + s, to, count, s, h.samples, pixels.channels());
}

template <class T>
bool read_tiles(TIFF* tiff, const Header& h, cv::Mat& pixels, int plane) {
  std::uint32_t width = 0, height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
  const tmsize_t row_size = TIFFTileRowSize(tiff), size = TIFFTileSize(tiff);
  const std::uint64_t samples = h.planar == PLANARCONFIG_SEPARATE ? 1 : h.samples;
  if (width == 0 || height == 0 || size <= 0 || size > kMostTile ||
      static_cast<std::uint64_t>(row_size) < width * samples * sizeof(T) || size / height < row_size)
    return false;
  const auto tile = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(size) / sizeof(T) + 1);
  for (std::uint32_t y = 0; y < h.height; y += height)
    for (std::uint32_t x = 0; x < h.width; x += width) {
      if (TIFFReadTile(tiff, tile.get(), x, y, 0, static_cast<std::uint16_t>(plane)) < 0) return false;
      for (std::uint32_t r = 0; r < height && y + r < h.height; ++r)
        place_row<T>(h, reinterpret_cast<const char*>(tile.get()) + static_cast<tmsize_t>(r) * row_size, pixels, y + r, x,
                     std::min(width, h.width - x), plane);
    }
  return true;
}

template <class T>
bool read_rows(TIFF* tiff, const Header& h, cv::Mat& pixels, int plane) {
  const std::uint64_t samples = h.planar == PLANARCONFIG_SEPARATE ? 1 : h.samples;
  const tmsize_t size = TIFFScanlineSize(tiff);
  if (size <= 0 || static_cast<std::uint64_t>(size) < h.width * samples * sizeof(T)) return false;
  const auto row = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(size) / sizeof(T) + 1);
  for (std::uint32_t y = 0; y < h.height; ++y) {
    if (TIFFReadScanline(tiff, row.get(), y, static_cast<std::uint16_t>(plane)) < 0) return false;
    place_row<T>(h, row.get(), pixels, y, 0, h.width, plane);
  }
  return true;
}

template <class T>
bool read_plain(TIFF* tiff, const Header& h, cv::Mat& pixels) {
  const int planes = h.planar == PLANARCONFIG_SEPARATE ? std::min<int>(h.samples, h.colours() + 1) : 1;
  for (int plane = 0; plane < planes; ++plane)
    if (!(TIFFIsTiled(tiff) ? read_tiles<T>(tiff, h, pixels, plane) : read_rows<T>(tiff, h, pixels, plane))) return false;
  if (!h.premultiplied) return true;
  const std::uint32_t top = std::numeric_limits<T>::max();
  pixels.forEach<cv::Vec<T, 4>>([&](cv::Vec<T, 4>& p, const int*) {
    for (int c = 0; c < 3 && p[3]; ++c)
      p[c] = static_cast<T>(std::min<std::uint64_t>(top, (std::uint64_t{p[c]} * top + p[3] / 2) / p[3]));
  });
  return true;
}

bool read_converted(TIFF* tiff, const Header& h, cv::Mat& pixels, std::string& message) {
  char text[1024] = "";
  TIFFRGBAImage image;
  if (!TIFFRGBAImageOK(tiff, text) || !TIFFRGBAImageBegin(&image, tiff, 1, text)) {
    message = text;
    return false;
  }
  const std::unique_ptr<TIFFRGBAImage, void (*)(TIFFRGBAImage*)> owner(&image, TIFFRGBAImageEnd);
  image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;  // rows as stored: the tag is applied once, later
  cv::Mat rgba(static_cast<int>(h.height), static_cast<int>(h.width), CV_8UC4);
  if (!TIFFRGBAImageGet(&image, rgba.ptr<std::uint32_t>(), h.width, h.height)) return false;
  const std::vector<int> order = pixels.channels() == 1 ? std::vector<int>{0, 0} : std::vector<int>{0, 2, 1, 1, 2, 0};
  cv::mixChannels(rgba, pixels, order);
  return true;
}

Buffer write(const cv::Mat& pixels, const Image& image) {
  Memory memory;
  memory.writing = true;
  const Tiff tiff = open(memory, "w");
  check(tiff != nullptr, "TIFF: cannot be written: ", memory.message);
  const int channels = pixels.channels(), bits = pixels.depth() == CV_8U ? 8 : 16;
  TIFFSetField(tiff.get(), TIFFTAG_IMAGEWIDTH, pixels.cols);
  TIFFSetField(tiff.get(), TIFFTAG_IMAGELENGTH, pixels.rows);
  TIFFSetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, bits);
  TIFFSetField(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, channels);
  TIFFSetField(tiff.get(), TIFFTAG_PHOTOMETRIC, channels > 2 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  TIFFSetField(tiff.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  TIFFSetField(tiff.get(), TIFFTAG_COMPRESSION, COMPRESSION_LZW);
  TIFFSetField(tiff.get(), TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
  TIFFSetField(tiff.get(), TIFFTAG_ROWSPERSTRIP, TIFFDefaultStripSize(tiff.get(), 0));
  const std::uint16_t straight = EXTRASAMPLE_UNASSALPHA;
  if (channels % 2 == 0) TIFFSetField(tiff.get(), TIFFTAG_EXTRASAMPLES, 1, &straight);
  if (!image.icc.empty())
    TIFFSetField(tiff.get(), TIFFTAG_ICCPROFILE, static_cast<std::uint32_t>(image.icc.size()), image.icc.data());
  bool ok = true;
  for (int y = 0; y < pixels.rows && ok; ++y) {
    cv::Mat row = pixels.row(y).clone();  // libtiff works in the row that it is given
    if (channels == 3) cv::cvtColor(row, row, cv::COLOR_BGR2RGB);
    if (channels == 4) cv::cvtColor(row, row, cv::COLOR_BGRA2RGBA);
    ok = TIFFWriteScanline(tiff.get(), row.data, static_cast<std::uint32_t>(y), 0) >= 0;
  }
  ok = ok && TIFFFlush(tiff.get());
  check(ok, "TIFF: cannot be written: ", memory.message);
  return std::move(memory.output);
}

}  // namespace

Decoded decode_tiff(View bytes, const std::string& name) {
  Memory memory;
  memory.input = bytes;
  const Tiff tiff = open(memory, "rm");
  check(tiff != nullptr, name, ": damaged or truncated TIFF: ", memory.message);
  const Header h = read_header(tiff.get());
  check_size(h.width, h.height, name);
  check(h.samples <= kMostSamples, name, ": TIFF of ", h.samples, " channels cannot be read: expected at most ", kMostSamples);
  check(h.format == SAMPLEFORMAT_UINT || h.format == SAMPLEFORMAT_VOID, name,
        ": TIFF of signed or floating-point values cannot be read: expected unsigned 8 or 16 bit; convert it, the range is not "
        "known here");
  check(h.plain() || h.bits <= 8, name, ": TIFF of ", h.bits,
        " bit in this colour space cannot be read: expected 8 or 16 bit grey or RGB");
  const bool grey = h.photometric == PHOTOMETRIC_MINISBLACK || h.photometric == PHOTOMETRIC_MINISWHITE;
  const int channels = h.plain() && h.alpha() ? 4 : grey ? 1 : 3;
  Decoded out;
  out.image.grey = grey;
  out.image.pixels.create(static_cast<int>(h.height), static_cast<int>(h.width),
                          CV_MAKETYPE(h.plain() && h.bits == 16 ? CV_16U : CV_8U, channels));
  bool ok = false;
  if (!h.plain()) ok = read_converted(tiff.get(), h, out.image.pixels, memory.message);
  else if (h.bits == 8) ok = read_plain<std::uint8_t>(tiff.get(), h, out.image.pixels);
  else ok = read_plain<std::uint16_t>(tiff.get(), h, out.image.pixels);
  check(ok, name, ": damaged or truncated TIFF: ", memory.message);
  check(!memory.ran_out, name, ": truncated TIFF: a part lies behind the end of the file");
  out.orientation = h.orientation;
  std::uint32_t size = 0;
  const std::uint8_t* icc = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_ICCPROFILE, &size, &icc) && size > 0) out.image.icc.assign(icc, icc + size);
  return out;
}

Buffer encode_tiff(const Image& image, const EncodeOptions&) {
  return write(image.grey && image.pixels.channels() == 4 ? grey_and_alpha(image) : image.pixels, image);
}

}  // namespace fovea::codec
