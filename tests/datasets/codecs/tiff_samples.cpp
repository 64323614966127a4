// TIFF: samples of every depth, samples that no tag explains, pages, and damage that libtiff only warns of.
#include <tiffio.h>

#include <cmath>
#include <cstring>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/tiff.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

void set_extras(const TiffFile& file, std::vector<std::uint16_t> kinds) {
  TIFFSetField(file.tiff, TIFFTAG_EXTRASAMPLES, static_cast<int>(kinds.size()), kinds.data());
}

// Highest bit first, each row from a byte of its own.
Buffer packed(const std::vector<std::uint32_t>& values, int bits) {
  Buffer out;
  std::uint64_t held = 0;
  int have = 0;
  for (const std::uint32_t value : values) {
    held = held << bits | value;
    for (have += bits; have >= 8; have -= 8) out.push_back(static_cast<std::uint8_t>(held >> (have - 8)));
  }
  if (have > 0) out.push_back(static_cast<std::uint8_t>(held << (8 - have)));
  return out;
}

template <class T>
Buffer bytes_of(const std::vector<T>& values) {
  Buffer out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

std::string reason(const std::filesystem::path& file) {
  return message_of([&] { read_image(file); });
}

}  // namespace

TEST_CASE("TIFF: samples are alpha by their tag alone", "[datasets][image]") {
  Folder folder;
  struct Case {
    std::vector<std::uint16_t> kinds;
    int alpha;  // the sample that is; -1: none
    std::size_t notes;
  };
  // 0: unspecified, 2: straight alpha.
  for (const Case& c :
       {Case{{2}, 3, 0}, Case{{0}, -1, 1}, Case{{}, -1, 1}, Case{{0, 2}, 4, 1}, Case{{2, 0}, 3, 1}, Case{{0, 0, 0, 0, 0}, -1, 1}})
    for (const int bits : {8, 16}) {
      const int samples = 3 + std::max<int>(1, static_cast<int>(c.kinds.size()));
      INFO(samples << " samples of " << bits << " bits, alpha " << c.alpha);
      {
        const TiffFile file(folder / "a", 1, 1, bits, samples, PHOTOMETRIC_RGB);
        if (!c.kinds.empty()) set_extras(file, c.kinds);
        Buffer row;
        for (int s = 0; s < samples; ++s) put_little(row, static_cast<std::uint32_t>(10 + s), bits / 8);
        file.rows(row, 1);
      }
      const Image image = read_image(folder / "a");
      REQUIRE(image.pixels.channels() == (c.alpha < 0 ? 3 : 4));
      CHECK(image.notes.size() == c.notes);
      cv::Mat pixel;
      image.pixels.convertTo(pixel, CV_32S);
      for (int channel = 0; channel < 3; ++channel) CHECK(pixel.ptr<int>()[channel] == 12 - channel);
      if (c.alpha >= 0) CHECK(pixel.ptr<int>()[3] == 10 + c.alpha);
    }
}

TEST_CASE("TIFF: infrared behind the colours is left out, and said", "[datasets][image]") {
  FOVEA_NEEDS_SHARED(file, "faults/extra_bits_rgb_8b.tiff");
  const Image image = read_image(file);
  CHECK(image.pixels.channels() == 3);
  CHECK(image.notes.size() == 1);
}

TEST_CASE("TIFF: unsigned samples of every depth fill the range of 8 or 16 bits", "[datasets][image]") {
  Folder folder;
  for (const int photometric : {PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_MINISWHITE, PHOTOMETRIC_RGB})
    for (const int bits : {1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 14, 15, 24, 32})
      for (const bool planes : {false, true}) {
        INFO(bits << " bits, photometric " << photometric);
        const int samples = photometric == PHOTOMETRIC_RGB ? 3 : 1;
        const std::uint64_t top = (std::uint64_t{1} << bits) - 1;
        std::vector<std::uint32_t> values;
        for (int i = 0; i < 5 * samples; ++i)
          values.push_back(static_cast<std::uint32_t>(top * static_cast<unsigned>(i) / static_cast<unsigned>(5 * samples - 1)));
        {
          const TiffFile file(folder / "a", 5, 1, bits, samples, photometric);
          if (planes) TIFFSetField(file.tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_SEPARATE);
          for (int plane = 0; plane < (planes ? samples : 1); ++plane) {
            std::vector<std::uint32_t> row;
            for (std::size_t i = 0; i < values.size(); ++i)
              if (!planes || i % static_cast<std::size_t>(samples) == static_cast<std::size_t>(plane)) row.push_back(values[i]);
            Buffer bytes = bits == 32 ? bytes_of(row) : Buffer();
            if (bits == 24)
              for (const std::uint32_t v : row) put_little(bytes, v, 3);
            file.rows(bits < 24 ? packed(row, bits) : bytes, 1, plane);
          }
        }
        const Image image = read_image(folder / "a");
        REQUIRE(image.pixels.type() == CV_MAKETYPE(bits > 8 ? CV_16U : CV_8U, samples));
        CHECK(image.grey == (samples == 1));
        cv::Mat flat;
        image.pixels.convertTo(flat, CV_32S);
        const double full = bits > 8 ? 65535 : 255;
        for (int x = 0; x < 5; ++x)
          for (int s = 0; s < samples; ++s) {
            const double part = static_cast<double>(values[static_cast<std::size_t>(x * samples + s)]) / static_cast<double>(top);
            const long expected = std::lround((photometric == PHOTOMETRIC_MINISWHITE ? 1 - part : part) * full);
            CHECK(std::abs(flat.ptr<int>()[x * samples + (samples == 3 ? 2 - s : s)] - expected) <= 1);
          }
      }
}

TEST_CASE("TIFF: floats are read where tags give their range, inks in 16 bits", "[datasets][image]") {
  Folder folder;
  const auto write = [&](int bits, bool range, const Buffer& row) {
    const TiffFile file(folder / "a", 4, 1, bits, 1, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(file.tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    if (range) TIFFSetField(file.tiff, TIFFTAG_SMINSAMPLEVALUE, -2.0), TIFFSetField(file.tiff, TIFFTAG_SMAXSAMPLEVALUE, 2.0);
    file.rows(row, 1);
  };
  const auto check_read = [&] {
    const cv::Mat pixels = read_image(folder / "a").pixels;
    REQUIRE(pixels.type() == CV_16UC1);
    CHECK(cv::norm(pixels, cv::Mat(cv::Matx<std::uint16_t, 1, 4>(0, 32768, 65535, 0)), cv::NORM_INF) <= 1);
  };
  write(32, true, bytes_of(std::vector<float>{-2, 0, 5, NAN}));
  check_read();
  write(64, true, bytes_of(std::vector<double>{-9, 0, 2, NAN}));
  check_read();
  write(32, false, bytes_of(std::vector<float>{0, 0.5, 1, 1}));
  CHECK(
      reason(folder / "a").find("not supported: a TIFF of 32-bit floating-point values: no tag says which are black and white") !=
      std::string::npos);
  {
    const TiffFile file(folder / "a", 1, 1, 16, 4, PHOTOMETRIC_SEPARATED);
    file.rows(bytes_of(std::vector<std::uint16_t>{0, 65535, 32768, 0}), 1);
  }
  const cv::Mat inks = read_image(folder / "a").pixels;
  REQUIRE(inks.type() == CV_16UC3);
  CHECK(inks.at<cv::Vec3w>(0, 0) == cv::Vec3w(32767, 0, 65535));
}

TEST_CASE("TIFF: kinds that are not read are named, not called damaged", "[datasets][image]") {
  Folder folder;
  const auto file = [&](int bits, int photometric, int format, const Buffer& row) {
    const TiffFile tiff(folder / "a", 2, 1, bits, 1, photometric);
    TIFFSetField(tiff.tiff, TIFFTAG_SAMPLEFORMAT, format);
    std::vector<std::uint16_t> map(1u << std::min(bits, 16));
    if (photometric == PHOTOMETRIC_PALETTE) TIFFSetField(tiff.tiff, TIFFTAG_COLORMAP, map.data(), map.data(), map.data());
    tiff.rows(row, 1);
  };
  file(16, PHOTOMETRIC_MINISBLACK, SAMPLEFORMAT_INT, Buffer(4));
  CHECK(reason(folder / "a").find("not supported: a TIFF of signed values") != std::string::npos);
  file(16, PHOTOMETRIC_PALETTE, SAMPLEFORMAT_UINT, Buffer(4));
  CHECK(reason(folder / "a").find("not supported: a palette TIFF of 16 bits a sample") != std::string::npos);
  file(32, PHOTOMETRIC_MINISBLACK, SAMPLEFORMAT_UINT, {7, 0, 0, 0, 9, 0, 0, 0});
  CHECK(reason(folder / "a").find("not supported: a TIFF of 32 bits a sample that uses less than a 256th") != std::string::npos);
}

TEST_CASE("TIFF: further pages are said, and read when asked for; thumbnails are none", "[datasets][image]") {
  for (const char* mode : {"w", "w8", "wb"}) {  // classic, 64-bit offsets, big-endian
    Folder folder;
    {
      const TiffFile file(folder / "a", 1, 1, 8, 1, PHOTOMETRIC_MINISBLACK, mode);
      for (int page = 0; page < 4; ++page) {
        if (page > 0) {
          TIFFWriteDirectory(file.tiff);
          TIFFSetField(file.tiff, TIFFTAG_IMAGEWIDTH, page + 1);
          TIFFSetField(file.tiff, TIFFTAG_IMAGELENGTH, 1);
          TIFFSetField(file.tiff, TIFFTAG_BITSPERSAMPLE, 8);
          TIFFSetField(file.tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
        }
        TIFFSetField(file.tiff, TIFFTAG_SUBFILETYPE, page == 1 ? FILETYPE_REDUCEDIMAGE : FILETYPE_PAGE);
        file.rows(Buffer(static_cast<std::size_t>(page + 1), 50), 1);
      }
    }
    INFO(mode);
    CHECK(count_pages(folder / "a") == 3);
    const Image first = read_image(folder / "a");
    CHECK(first.pixels.cols == 1);
    REQUIRE(first.notes.size() == 1);
    CHECK(first.notes[0] == "the first of 3 pages is read");
    CHECK(read_image(folder / "a", 0).notes.empty());
    CHECK(read_image(folder / "a", 1).pixels.cols == 3);
    CHECK(read_image(folder / "a", 2).pixels.cols == 4);
    CHECK(fails_with([&] { read_image(folder / "a", 3); }, "has 3 pages, no page 4"));
  }
}

TEST_CASE("TIFF: damage that libtiff only warns of is refused", "[datasets][image]") {
  Folder folder;
  for (const int compression : {COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4, COMPRESSION_CCITTRLE, COMPRESSION_JPEG}) {
    INFO("compression " << compression);
    const bool fax = compression != COMPRESSION_JPEG;
    {
      const TiffFile file(folder / "a", 128, 128, fax ? 1 : 8, 1, fax ? PHOTOMETRIC_MINISWHITE : PHOTOMETRIC_MINISBLACK);
      TIFFSetField(file.tiff, TIFFTAG_COMPRESSION, compression);
      const cv::Mat pixels = noise(128, 128, CV_8UC1);
      file.rows(Buffer(pixels.datastart, pixels.datastart + (fax ? 128 * 16 : 128 * 128)), 128);
    }
    CHECK_NOTHROW(read_image(folder / "a"));
    Buffer bytes = read_file(folder / "a");
    // No code of faxes has so many zeros, none of JPEG so many ones.
    for (std::size_t i = 600; i < 616; ++i) bytes[i] = fax ? 0 : i % 2 ? 0 : 0xff;
    CHECK(fails_with([&] { decode_image(bytes, "x"); }, "x: damaged"));
  }
}

TEST_CASE("TIFF: a fax with swapped bytes is refused", "[datasets][image]") {
  FOVEA_NEEDS_SHARED(file, "faults/00247_swap_700.tif");
  CHECK(fails_with([&] { read_image(file); }, "damaged"));
}

TEST_CASE("TIFF: many tiles at one offset take no memory", "[datasets][image]") {
  Folder folder;
  {
    const TiffFile file(folder / "a", 4096, 4096, 8, 1, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(file.tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(file.tiff, TIFFTAG_TILEWIDTH, 4096);
    TIFFSetField(file.tiff, TIFFTAG_TILELENGTH, 4096);
    Buffer tile(std::size_t{4096} * 4096);
    TIFFWriteTile(file.tiff, tile.data(), 0, 0, 0, 0);
  }
  CHECK_NOTHROW(read_image(folder / "a"));
  Buffer bytes = read_file(folder / "a");
  // The same picture eight times as wide and high: 64 tiles, of which each has the first one's place and length.
  const std::size_t at = bytes[4] | std::size_t{bytes[5]} << 8 | std::size_t{bytes[6]} << 16;
  const std::size_t entries = bytes[at];
  for (std::size_t i = 0; i < entries; ++i) {
    std::uint8_t* entry = bytes.data() + at + 2 + 12 * i;
    const int tag = entry[0] | entry[1] << 8;
    if (tag == TIFFTAG_IMAGEWIDTH || tag == TIFFTAG_IMAGELENGTH) entry[8] = 0, entry[9] = 0x80;
    if (tag != TIFFTAG_TILEOFFSETS && tag != TIFFTAG_TILEBYTECOUNTS) continue;
    Buffer numbers;
    std::uint32_t value = 0;
    std::memcpy(&value, entry + 8, 4);
    for (int k = 0; k < 64; ++k) put_little(numbers, value, 4);
    Buffer head;
    put_little(head, 4, 2), put_little(head, 64, 4), put_little(head, static_cast<std::uint32_t>(bytes.size()), 4);
    std::copy(head.begin(), head.end(), entry + 2);
    insert(bytes, bytes.size(), numbers);
  }
  CHECK(fails_with([&] { decode_image(bytes, "x"); },
                   "x: truncated or damaged: 32768x32768 pixels cannot come from a file this small"));
}
