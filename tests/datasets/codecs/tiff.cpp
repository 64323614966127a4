// TIFFs that libtiff can write and our encoder does not: tiles, planes, palettes, one bit, inks, premultiplied alpha.
#include "tests/support/tiff.hpp"
#include "datasets/image.hpp"
#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using namespace fovea::test;

TEST_CASE("TIFF: tiles of 16 bit, larger than the image and cut by its edge", "[datasets][image]") {
  Folder folder;
  const cv::Mat pixels = noise(37, 21, CV_16UC3);
  {
    const TiffFile file(folder / "a", 37, 21, 16, 3, PHOTOMETRIC_RGB);
    TIFFSetField(file.tiff, TIFFTAG_TILEWIDTH, 16);
    TIFFSetField(file.tiff, TIFFTAG_TILELENGTH, 16);
    for (int y = 0; y < 21; y += 16)
      for (int x = 0; x < 37; x += 16) {
        cv::Mat tile(16, 16, CV_16UC3, cv::Scalar::all(0));
        for (int v = 0; v < 16 && y + v < 21; ++v)
          for (int u = 0; u < 16 && x + u < 37; ++u) {
            const auto bgr = pixels.at<cv::Vec3w>(y + v, x + u);
            tile.at<cv::Vec3w>(v, u) = {bgr[2], bgr[1], bgr[0]};
          }
        TIFFWriteTile(file.tiff, tile.data, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), 0, 0);
      }
  }
  CHECK(cv::norm(read_image(folder / "a").pixels, pixels, cv::NORM_INF) == 0);
}

TEST_CASE("TIFF: a plane for each colour", "[datasets][image]") {
  Folder folder;
  {
    const TiffFile file(folder / "a", 2, 2, 8, 3, PHOTOMETRIC_RGB);
    TIFFSetField(file.tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_SEPARATE);
    file.rows({1, 2, 3, 4}, 2, 0);
    file.rows({11, 12, 13, 14}, 2, 1);
    file.rows({21, 22, 23, 24}, 2, 2);
  }
  CHECK(read_image(folder / "a").pixels.at<cv::Vec3b>(1, 0) == cv::Vec3b(23, 13, 3));
}

TEST_CASE("TIFF: palettes, one bit and inks become 8 bit, turned once", "[datasets][image]") {
  Folder folder;
  std::vector<std::uint16_t> red(256), green(256), blue(256);
  red[7] = 0xffff, green[7] = 0x8080, blue[9] = 0xffff;
  {
    const TiffFile file(folder / "palette", 2, 1, 8, 1, PHOTOMETRIC_PALETTE);
    TIFFSetField(file.tiff, TIFFTAG_COLORMAP, red.data(), green.data(), blue.data());
    TIFFSetField(file.tiff, TIFFTAG_ORIENTATION, 2);
    file.rows({7, 9}, 1);
  }
  const Image palette = read_image(folder / "palette");
  REQUIRE(palette.pixels.type() == CV_8UC3);
  CHECK(palette.pixels.at<cv::Vec3b>(0, 1) == cv::Vec3b(0, 128, 255));
  CHECK(palette.pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(255, 0, 0));
  {
    const TiffFile file(folder / "bits", 8, 1, 1, 1, PHOTOMETRIC_MINISWHITE);
    file.rows({0b01000000}, 1);
  }
  const Image bits = read_image(folder / "bits");
  REQUIRE(bits.pixels.type() == CV_8UC1);
  CHECK(bits.grey);
  CHECK(bits.pixels.at<std::uint8_t>(0, 0) == 255);
  CHECK(bits.pixels.at<std::uint8_t>(0, 1) == 0);
  {
    const TiffFile file(folder / "inks", 1, 1, 8, 4, PHOTOMETRIC_SEPARATED);
    file.rows({0, 255, 255, 0}, 1);
  }
  const Image inks = read_image(folder / "inks");
  REQUIRE(inks.pixels.type() == CV_8UC3);
  CHECK(inks.pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 0, 255));
}

TEST_CASE("TIFF: premultiplied alpha becomes straight", "[datasets][image]") {
  Folder folder;
  {
    const TiffFile file(folder / "a", 2, 1, 8, 4, PHOTOMETRIC_RGB);
    const std::uint16_t kind = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(file.tiff, TIFFTAG_EXTRASAMPLES, 1, &kind);
    file.rows({50, 100, 0, 100, 9, 9, 9, 0}, 1);
  }
  const cv::Mat pixels = read_image(folder / "a").pixels;
  CHECK(pixels.at<cv::Vec4b>(0, 0) == cv::Vec4b(0, 255, 128, 100));
  CHECK(pixels.at<cv::Vec4b>(0, 1)[3] == 0);
}

TEST_CASE("TIFF: what would need a guess is refused", "[datasets][image]") {
  Folder folder;
  {
    const TiffFile file(folder / "wide", 2, 1, 32, 1, PHOTOMETRIC_MINISBLACK);
    file.rows(std::vector<std::uint8_t>(8), 1);
  }
  {
    const TiffFile file(folder / "many", 2, 1, 8, 40, PHOTOMETRIC_MINISBLACK);
    file.rows(std::vector<std::uint8_t>(80), 1);
  }
  CHECK_THROWS_AS(read_image(folder / "wide"), Error);
  CHECK_THROWS_AS(read_image(folder / "many"), Error);
}
