// TIFFs written by libtiff, tag by tag.
#pragma once

#include <tiffio.h>

#include <filesystem>
#include <string>
#include <vector>

namespace fovea::test {

struct TiffFile {
  TIFF* tiff;
  TiffFile(const std::filesystem::path& path, int width, int height, int bits, int samples, int photometric,
           const char* mode = "w")
      : tiff(TIFFOpen(path.c_str(), mode)) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, height);
  }
  ~TiffFile() { TIFFClose(tiff); }
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;
  void rows(std::vector<std::uint8_t> bytes, int height, int plane = 0) const {
    const std::size_t row = bytes.size() / static_cast<std::size_t>(height);
    for (int y = 0; y < height; ++y)
      TIFFWriteScanline(tiff, bytes.data() + static_cast<std::size_t>(y) * row, static_cast<std::uint32_t>(y),
                        static_cast<std::uint16_t>(plane));
  }
};

}  // namespace fovea::test
