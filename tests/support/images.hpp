// Images and metadata for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace fovea::test {

using Buffer = std::vector<std::uint8_t>;

// Noise that is the same in every run.
inline cv::Mat noise(int width, int height, int type, std::uint64_t seed = 1) {
  cv::Mat m(height, width, type);
  cv::RNG random(seed);
  random.fill(m, cv::RNG::UNIFORM, 0, CV_MAT_DEPTH(type) == CV_16U ? 65536 : 256);
  return m;
}

inline void put(Buffer& to, const std::string& text) { std::copy(text.begin(), text.end(), std::back_inserter(to)); }
inline void put_big(Buffer& to, std::uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
inline void put_little(Buffer& to, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
inline void insert(Buffer& into, std::size_t at, const Buffer& what) {
  Buffer whole(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(at));
  std::copy(what.begin(), what.end(), std::back_inserter(whole));
  std::copy(into.begin() + static_cast<std::ptrdiff_t>(at), into.end(), std::back_inserter(whole));
  into = whole;
}

// A profile with a correct header, no tags that anyone needs, and `size` bytes. `space`: "RGB " or "GRAY".
inline Buffer icc_profile(std::size_t size, const std::string& space) {
  Buffer p;
  put_big(p, static_cast<std::uint32_t>(size), 4);
  put(p, "test");
  put_big(p, 0x04300000, 4);
  put(p, "mntr" + space + "XYZ ");
  for (int v : {2026, 1, 1, 0, 0, 0}) put_big(p, static_cast<std::uint32_t>(v), 2);
  put(p, "acsp");
  p.resize(68);
  for (std::uint32_t v : {0xf6d6u, 0x10000u, 0xd32du}) put_big(p, v, 4);  // D50
  p.resize(128);
  put_big(p, 1, 4);  // one private tag that holds the rest
  put(p, "prv0");
  put_big(p, 144, 4);
  put_big(p, static_cast<std::uint32_t>(size - 144), 4);
  while (p.size() < size) p.push_back(static_cast<std::uint8_t>(p.size() * 2654435761u >> 13));
  return p;
}

// A TIFF header and a folder that holds the orientation alone.
inline Buffer exif_block(int orientation, bool big_endian) {
  Buffer b;
  const auto number = [&](std::uint32_t v, int n) { big_endian ? put_big(b, v, n) : put_little(b, v, n); };
  put(b, big_endian ? "MM" : "II");
  number(42, 2);
  number(8, 4);
  number(1, 2);
  number(0x0112, 2);
  number(3, 2);
  number(1, 4);
  number(static_cast<std::uint32_t>(orientation), 2);
  number(0, 2);
  number(0, 4);
  return b;
}

inline std::uint32_t crc32(const std::uint8_t* bytes, std::size_t n) {
  std::uint32_t c = 0xffffffffu;
  for (std::size_t i = 0; i < n; ++i) {
    c ^= bytes[i];
    for (int k = 0; k < 8; ++k) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
  }
  return ~c;
}

inline Buffer png_chunk(const std::string& type, const Buffer& data) {
  Buffer c;
  put_big(c, static_cast<std::uint32_t>(data.size()), 4);
  put(c, type);
  std::copy(data.begin(), data.end(), std::back_inserter(c));
  put_big(c, crc32(c.data() + 4, c.size() - 4), 4);
  return c;
}

// Bytes in zlib's wrapping, not compressed: at most 65535.
inline Buffer stored_zlib(const Buffer& bytes) {
  Buffer zlib{0x78, 0x01, 1};
  put_little(zlib, static_cast<std::uint32_t>(bytes.size()), 2);
  put_little(zlib, static_cast<std::uint32_t>(~bytes.size()), 2);
  std::uint32_t a = 1, b = 0;  // Adler-32
  for (std::uint8_t v : bytes) {
    zlib.push_back(v);
    a = (a + v) % 65521;
    b = (b + a) % 65521;
  }
  put_big(zlib, b << 16 | a, 4);
  return zlib;
}

// A PNG of filterless scanlines, stored without compression. `chunks` go before the pixels.
inline Buffer stored_png(std::uint32_t width, std::uint32_t height, int bits, int colour, bool interlaced, const Buffer& chunks,
                         const Buffer& lines) {
  Buffer header, file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put_big(header, width, 4);
  put_big(header, height, 4);
  for (int b : {bits, colour, 0, 0, interlaced ? 1 : 0}) header.push_back(static_cast<std::uint8_t>(b));
  for (const Buffer& part : {png_chunk("IHDR", header), chunks, png_chunk("IDAT", stored_zlib(lines)), png_chunk("IEND", {})})
    insert(file, file.size(), part);
  return file;
}

}  // namespace fovea::test
