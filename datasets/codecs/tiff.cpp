// TIFF with libtiff: grey, colours and inks of up to 32 bits as they are; palettes, YCbCr, Lab through its 8-bit converter.
#include <algorithm>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/tiff_file.hpp"
#include "datasets/codecs/tiff_samples.hpp"

namespace fovea::codec {
namespace {

constexpr tmsize_t kMostTile = 1 << 28;  // bytes
constexpr std::size_t kMostClassic =
    3'500'000'000;                        // bytes of pixels: LZW makes noise a third larger, and few pictures are noise
constexpr std::int64_t kLeast = 1 << 26;  // bytes that libtiff may take at once for any file

// What a byte of the file can become at the best compression, in bytes of pixels.
std::int64_t best_ratio(const TiffHeader& h) {
  switch (h.compression) {
    case COMPRESSION_NONE: return 64;  // tiles that are alike may share their bytes
    case COMPRESSION_PACKBITS: return 128;
    case COMPRESSION_JPEG:
    case COMPRESSION_OJPEG: return 2048;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE: return 1032;
    case COMPRESSION_LZW: return 2048;
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTRLEW:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4: return 8 * (std::int64_t{h.width} / 8 + 1);  // a row in a bit
    default: return 1 << 16;
  }
}

std::int64_t most_bytes(const TiffHeader& h, View file) {
  const auto size = static_cast<std::int64_t>(file.size()), ratio = best_ratio(h);
  return size > INT64_MAX / 8 / ratio ? INT64_MAX / 8 : size * ratio;
}

// A row of samples, or one of a tile.
bool holds(const TiffHeader& h, tmsize_t row_bytes, std::uint32_t width) {
  return row_bytes > 0 &&
         static_cast<std::uint64_t>(row_bytes) * 8 >= std::uint64_t{width} * h.bits * static_cast<unsigned>(h.samples_in_row());
}

bool read_tiles(TIFF* tiff, const TiffHeader& h, cv::Mat& pixels, int plane, std::int64_t most) {
  std::uint32_t width = 0, height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
  const tmsize_t row_size = TIFFTileRowSize(tiff), size = TIFFTileSize(tiff);
  if (width == 0 || height == 0 || size <= 0 || size > std::min<std::int64_t>(kMostTile, std::max(most, kLeast)) ||
      !holds(h, row_size, width) || size / height < row_size)
    return false;
  const auto tile = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(size));
  for (std::uint32_t y = 0; y < h.height; y += height)
    for (std::uint32_t x = 0; x < h.width; x += width) {
      if (TIFFReadTile(tiff, tile.get(), x, y, 0, static_cast<std::uint16_t>(plane)) < 0) return false;
      for (std::uint32_t r = 0; r < height && y + r < h.height; ++r)
        place_tiff_row(h, tile.get() + static_cast<tmsize_t>(r) * row_size, pixels, static_cast<int>(y + r), static_cast<int>(x),
                       static_cast<int>(std::min(width, h.width - x)), plane);
    }
  return true;
}

bool read_rows(TIFF* tiff, const TiffHeader& h, cv::Mat& pixels, int plane) {
  const tmsize_t size = TIFFScanlineSize(tiff);
  if (!holds(h, size, h.width)) return false;
  const auto row = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(size));
  for (std::uint32_t y = 0; y < h.height; ++y) {
    if (TIFFReadScanline(tiff, row.get(), y, static_cast<std::uint16_t>(plane)) < 0) return false;
    place_tiff_row(h, row.get(), pixels, static_cast<int>(y), 0, static_cast<int>(h.width), plane);
  }
  return true;
}

bool read_plain(TIFF* tiff, const TiffHeader& h, cv::Mat& pixels, std::int64_t most) {
  pixels.create(static_cast<int>(h.height), static_cast<int>(h.width), CV_MAKETYPE(h.deep() ? CV_16U : CV_8U, h.channels()));
  const int planes = h.planar == PLANARCONFIG_SEPARATE ? std::max(h.colours(), h.alpha + 1) : 1;
  for (int plane = 0; plane < planes; ++plane)
    if (!(TIFFIsTiled(tiff) ? read_tiles(tiff, h, pixels, plane, most) : read_rows(tiff, h, pixels, plane))) return false;
  finish_tiff_pixels(h, pixels);
  return true;
}

bool read_converted(TIFF* tiff, const TiffHeader& h, cv::Mat& pixels, const std::string& name) {
  char text[1024] = "";
  TIFFRGBAImage image;
  if (!TIFFRGBAImageOK(tiff, text) || !TIFFRGBAImageBegin(&image, tiff, 1, text))
    unsupported(name, "a TIFF of which libtiff says: ", text);
  const std::unique_ptr<TIFFRGBAImage, void (*)(TIFFRGBAImage*)> owner(&image, TIFFRGBAImageEnd);
  image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;  // rows as stored: the tag is applied once, later
  cv::Mat rgba(static_cast<int>(h.height), static_cast<int>(h.width), CV_8UC4);
  if (!TIFFRGBAImageGet(&image, rgba.ptr<std::uint32_t>(), h.width, h.height)) return false;
  pixels.create(rgba.size(), CV_8UC3);
  cv::mixChannels(rgba, pixels, {0, 2, 1, 1, 2, 0});
  return true;
}

// libtiff hands strips and tiles to libjpeg whole, which then does not look at every code (jpeg.cpp).
void check_jpeg_codes(TIFF* tiff, View file, const std::string& name) {
  std::uint32_t size = 0;
  const std::uint8_t* tables = nullptr;
  Buffer head{0xff, 0xd8};
  constexpr std::uint32_t kMarker = 2;  // bytes: start at the front, end at the back
  if (TIFFGetField(tiff, TIFFTAG_JPEGTABLES, &size, &tables) && size > 2 * kMarker) head.assign(tables, tables + size - kMarker);
  const std::uint32_t count = TIFFIsTiled(tiff) ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t bytes = TIFFGetStrileByteCount(tiff, i), at = TIFFGetStrileOffset(tiff, i);
    if (bytes <= kMarker || at > file.size() || bytes > file.size() - at) continue;  // libtiff says so
    const View part = file.subspan(at + kMarker, bytes - kMarker);
    Buffer whole = head;
    whole.insert(whole.end(), part.begin(), part.end());
    whole.insert(whole.end(), {0xff, 0xd9});  // some writers leave it out
    const std::string damage = jpeg_damage(whole);
    check(damage.empty(), name, ": damaged TIFF: ", damage);
  }
}

// 24 and 32 bits are often counts or labels, of which nobody knows what is white.
void check_range_used(const TiffHeader& h, const cv::Mat& pixels, const std::string& name) {
  if (h.bits <= 16 || h.format == SAMPLEFORMAT_IEEEFP) return;
  double largest = 0;
  cv::minMaxLoc(pixels.reshape(1), nullptr, &largest);
  if (largest < 256)
    unsupported(name, "a TIFF of ", h.bits, " bits a sample that uses less than a 256th of their range; convert it to 16 bit");
}

Buffer write(const cv::Mat& pixels, const Image& image) {
  TiffMemory memory;
  memory.writing = true;
  // Offsets of 32 bits reach over 4 GiB: beyond, the same with 64.
  const bool large = pixels.total() * pixels.elemSize() > kMostClassic;
  const Tiff tiff = open_tiff(memory, large ? "w8" : "w", 0);
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

std::size_t count_tiff_pages(View bytes, const std::string&) { return tiff_pages(bytes).size(); }

Decoded decode_tiff(View bytes, const std::string& name) { return decode_tiff_page(bytes, name, 0); }

Decoded decode_tiff_page(View bytes, const std::string& name, std::size_t page) {
  TiffMemory memory;
  memory.input = bytes;
  constexpr std::int64_t kMost = std::int64_t{1} << 32, kRatio = 1032;
  const Tiff tiff = open_tiff(memory, "rm", std::clamp(static_cast<std::int64_t>(bytes.size()) * kRatio, kLeast, kMost));
  check(tiff != nullptr, name, ": damaged or truncated TIFF: ", memory.message);
  if (page > 0)
    check(TIFFSetSubDirectory(tiff.get(), tiff_pages(bytes).at(page)), name, ": damaged or truncated TIFF: ", memory.message);
  const TiffHeader h = read_tiff_header(tiff.get(), name);
  const std::int64_t most = most_bytes(h, bytes);
  check_size(h.width, h.height, name, most * 8 / std::max(1, h.bits * h.samples));
  check_tiff_supported(h, name);
  if (h.compression == COMPRESSION_JPEG) check_jpeg_codes(tiff.get(), bytes, name);
  Decoded out;
  out.image.grey = h.grey();
  memory.watching = true;
  const bool ok =
      h.plain() ? read_plain(tiff.get(), h, out.image.pixels, most) : read_converted(tiff.get(), h, out.image.pixels, name);
  check(ok, name, ": damaged or truncated TIFF: ", memory.message.empty() ? "its tags contradict each other" : memory.message);
  check(!memory.ran_out, name, ": truncated TIFF: a part lies behind the end of the file");
  check(memory.damage.empty(), name, ": damaged TIFF: ", memory.damage);
  check_range_used(h, out.image.pixels, name);
  if (h.unnamed > 0)
    out.image.notes.push_back(std::to_string(h.unnamed) + (h.unnamed == 1 ? " channel is" : " channels are") +
                              " left out: no tag says what is in it");
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
