#include "datasets/codecs/tiff_samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fovea::codec {
namespace {

constexpr int kMostSamples = 16;

// Which samples beside the colours are alpha is known by their tag alone: others are infrared, masks, depths.
void read_extras(TIFF* tiff, TiffHeader& h) {
  std::uint16_t count = 0, *kinds = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
  for (int s = h.colours(); s < h.samples; ++s) {
    const int i = s - (h.samples - count);
    const std::uint16_t kind = i >= 0 && i < count ? kinds[i] : std::uint16_t{EXTRASAMPLE_UNSPECIFIED};
    if (kind == EXTRASAMPLE_UNSPECIFIED || h.alpha >= 0) {
      ++h.unnamed;
    } else {
      h.alpha = s;
      h.premultiplied = kind == EXTRASAMPLE_ASSOCALPHA;
    }
  }
}

void read_range(TIFF* tiff, TiffHeader& h) {
  double* lowest = nullptr;
  double* highest = nullptr;
  TIFFSetField(tiff, TIFFTAG_PERSAMPLE, PERSAMPLE_MULTI);
  if (TIFFGetField(tiff, TIFFTAG_SMINSAMPLEVALUE, &lowest) && TIFFGetField(tiff, TIFFTAG_SMAXSAMPLEVALUE, &highest)) {
    h.lowest = *std::min_element(lowest, lowest + h.samples);
    h.highest = *std::max_element(highest, highest + h.samples);
    h.ranged = std::isfinite(h.lowest) && std::isfinite(h.highest) && h.lowest < h.highest;
  }
  TIFFSetField(tiff, TIFFTAG_PERSAMPLE, PERSAMPLE_MERGED);
}

const char* name_of(std::uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK: return "grey";
    case PHOTOMETRIC_RGB: return "RGB";
    case PHOTOMETRIC_PALETTE: return "palette";
    case PHOTOMETRIC_SEPARATED: return "CMYK";
    case PHOTOMETRIC_YCBCR: return "YCbCr";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB: return "Lab";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV: return "logarithmic";
    case 32803: return "camera raw (CFA)";
    case 34892: return "camera raw (linear)";
    default: return "unknown";
  }
}

// The channel that a sample goes to; below 0: none.
int channel_of(const TiffHeader& h, int sample) {
  if (sample == h.alpha) return h.inks() ? 4 : 3;
  if (sample >= h.colours()) return -1;
  return h.photometric == PHOTOMETRIC_RGB ? 2 - sample : sample;
}

// Grey with alpha is spread over all colours.
template <class T>
void place(const TiffHeader& h, const T* from, T* to, int pixels, int sample, int step, int channels) {
  const int channel = channel_of(h, sample);
  if (channel < 0) return;
  const bool spread = h.grey() && channels == 4 && channel == 0;
  const T flip = h.photometric == PHOTOMETRIC_MINISWHITE && channel == 0 ? std::numeric_limits<T>::max() : T{0};
  for (int x = 0; x < pixels; ++x, from += step, to += channels) {
    const T value = static_cast<T>(*from ^ flip);
    if (spread) to[0] = to[1] = to[2] = value;
    else to[channel] = value;
  }
}

template <class F>
std::uint16_t in_range(const TiffHeader& h, const std::uint8_t* from) {
  F value;
  std::memcpy(&value, from, sizeof value);
  const double part = (static_cast<double>(value) - h.lowest) / (h.highest - h.lowest);
  return static_cast<std::uint16_t>(std::lround(part > 0 ? std::min(part, 1.0) * 65535 : 0));  // what is no number is black
}

// A row of floating-point samples.
template <class T>
std::vector<T> unpack_floats(const TiffHeader& h, const std::uint8_t* row, std::size_t count) {
  std::vector<T> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<T>(h.bits == 32 ? in_range<float>(h, row + i * 4) : in_range<double>(h, row + i * 8));
  return out;
}

// Of a row of packed samples, highest bit first, those of up to 8 bits as 8, all others as 16.
template <class T>
std::vector<T> unpack(const TiffHeader& h, const std::uint8_t* row, std::size_t count) {
  std::vector<T> out(count);
  const unsigned bits = h.bits;
  constexpr std::uint64_t kTop = std::numeric_limits<T>::max();
  const std::uint64_t top = (std::uint64_t{1} << bits) - 1;
  std::uint64_t held = 0;
  unsigned have = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t value = 0;
    if (bits == 32 || bits == 24) {  // libtiff puts whole bytes into the machine's order
      std::memcpy(&value, row + i * (bits / 8), bits / 8);
    } else {
      for (; have < bits; have += 8) held = held << 8 | *row++;
      have -= bits;
      value = held >> have & top;
    }
    out[i] = static_cast<T>((value * kTop + top / 2) / top);
  }
  return out;
}

template <class T>
void place_row(const TiffHeader& h, const std::uint8_t* row, cv::Mat& pixels, int y, int x, int count, int plane) {
  const int step = h.samples_in_row(), channels = pixels.channels();
  T* to = pixels.ptr<T>(y) + static_cast<std::ptrdiff_t>(x) * channels;
  std::vector<T> unpacked;
  const T* from = reinterpret_cast<const T*>(row);
  if (h.bits != 8 * sizeof(T)) {
    const std::size_t samples = static_cast<std::size_t>(count) * static_cast<std::size_t>(step);
    unpacked = h.format == SAMPLEFORMAT_IEEEFP ? unpack_floats<T>(h, row, samples) : unpack<T>(h, row, samples);
    from = unpacked.data();
  }
  if (h.planar == PLANARCONFIG_SEPARATE) return place(h, from, to, count, plane, 1, channels);
  for (int s = 0; s < h.samples; ++s) place(h, from + s, to, count, s, step, channels);
}

template <class T>
void make_straight(cv::Mat& pixels) {
  const std::uint32_t top = std::numeric_limits<T>::max();
  pixels.forEach<cv::Vec<T, 4>>([&](cv::Vec<T, 4>& p, const int*) {
    for (int c = 0; c < 3 && p[3]; ++c)
      p[c] = static_cast<T>(std::min<std::uint64_t>(top, (std::uint64_t{p[c]} * top + p[3] / 2) / p[3]));
  });
}

// As for JPEG: each ink times black.
template <class T>
cv::Mat from_inks(const cv::Mat& inks) {
  const std::uint64_t top = std::numeric_limits<T>::max();
  const bool alpha = inks.channels() == 5;
  cv::Mat out(inks.size(), CV_MAKETYPE(inks.depth(), alpha ? 4 : 3));
  for (int y = 0; y < out.rows; ++y) {
    const T* from = inks.ptr<T>(y);
    T* to = out.ptr<T>(y);
    for (int x = 0; x < out.cols; ++x, from += inks.channels(), to += out.channels()) {
      for (int c = 0; c < 3; ++c) to[c] = static_cast<T>(((top - from[2 - c]) * (top - from[3]) + top / 2) / top);
      if (alpha) to[3] = from[4];
    }
  }
  return out;
}

}  // namespace

TiffHeader read_tiff_header(TIFF* tiff, const std::string& name) {
  TiffHeader h;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &h.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &h.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &h.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &h.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &h.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &h.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &h.orientation);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &h.compression);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &h.photometric);
  if (h.samples > kMostSamples) unsupported(name, "a TIFF of ", h.samples, " samples a pixel: at most ", kMostSamples);
  if (h.compression == COMPRESSION_JPEG && h.photometric == PHOTOMETRIC_YCBCR && h.planar == PLANARCONFIG_CONTIG) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    h.photometric = PHOTOMETRIC_RGB;
  }
  if (h.plain()) read_extras(tiff, h);
  if (h.format == SAMPLEFORMAT_IEEEFP) read_range(tiff, h);
  std::uint16_t ink_set = INKSET_CMYK;
  if (h.inks() && TIFFGetField(tiff, TIFFTAG_INKSET, &ink_set) && ink_set != INKSET_CMYK)
    unsupported(name, "a TIFF of inks that are not CMYK");
  return h;
}

void check_tiff_supported(const TiffHeader& h, const std::string& name) {
  if (!TIFFIsCODECConfigured(h.compression)) unsupported(name, "a TIFF of compression ", h.compression);
  if (h.format == SAMPLEFORMAT_IEEEFP && h.plain() && (h.bits == 32 || h.bits == 64) && h.ranged) return;
  if (h.format == SAMPLEFORMAT_IEEEFP)
    unsupported(name, "a TIFF of ", h.bits, "-bit floating-point values",
                h.ranged ? "" : ": no tag says which are black and white; convert it to 16 bit");
  if (h.format != SAMPLEFORMAT_UINT && h.format != SAMPLEFORMAT_VOID)
    unsupported(name, "a TIFF of ", h.format == SAMPLEFORMAT_INT ? "signed" : "complex",
                " values; convert it to unsigned 8 or 16 bit");
  const bool any_depth = h.plain() && h.bits >= 1 && h.bits <= 32;
  if ((!any_depth && h.bits > 8) || h.bits == 0 || (h.compression == COMPRESSION_JPEG && h.bits != 8))
    unsupported(name, "a ", name_of(h.photometric), " TIFF of ", h.bits, " bits a sample",
                h.compression == COMPRESSION_JPEG ? " in JPEG" : "");
}

void place_tiff_row(const TiffHeader& h, const std::uint8_t* row, cv::Mat& pixels, int y, int x, int count, int plane) {
  if (h.deep()) place_row<std::uint16_t>(h, row, pixels, y, x, count, plane);
  else place_row<std::uint8_t>(h, row, pixels, y, x, count, plane);
}

void finish_tiff_pixels(const TiffHeader& h, cv::Mat& pixels) {
  if (h.inks()) pixels = h.deep() ? from_inks<std::uint16_t>(pixels) : from_inks<std::uint8_t>(pixels);
  if (h.premultiplied && pixels.channels() == 4)
    h.deep() ? make_straight<std::uint16_t>(pixels) : make_straight<std::uint8_t>(pixels);
}

}  // namespace fovea::codec
