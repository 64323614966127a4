// Pictures with a mask each, for training and measuring networks that label every pixel.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"
#include "modules/preprocess.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

inline constexpr std::uint8_t kIgnoredLabel = 255;  // pixels that are neither learned nor measured

struct MaskedPicture {
  std::filesystem::path file, mask_file;
  cv::Mat picture;  // u8, grey or BGR
  cv::Mat mask;     // u8 of the same size: the index of each pixel's class; with one class 1 is that class and 0 everything else
};

struct MaskedPictures {
  std::vector<MaskedPicture> all;
  std::vector<BadFile> bad;
};

// Folders that hold `images` and `masks`, whose files match by name up to the extension. A mask is grey or of a palette, 8 or 16 bit. With one
// class every pixel above 0 is that class; with more the value is the class's index, and 255 is ignored. Error for a folder without pictures.
MaskedPictures read_masked(const std::vector<std::filesystem::path>& folders, std::size_t classes);

// A mask file as read_masked takes it. Error for colours, and for values that are no class.
cv::Mat read_mask(const std::filesystem::path& file, std::size_t classes);

// Random square crops, mirrored at random; what sticks out of a picture is mirrored at its edge. Batch k depends on (seed, k) alone. Input
// "image": N x channels x crop x crop, normalised; target "mask": N x crop x crop, s64.
class MaskSource final : public BatchSource {
 public:
  struct Options {
    Preprocess preprocess;  // channels, mean and standard deviation
    int crop = 128, batch = 8;
    bool flip = true, flip_vertical = false;
    std::uint64_t seed = 0;
  };
  MaskSource(std::vector<MaskedPicture> pictures, Options options);
  Batch batch(std::int64_t number) const override;

 private:
  std::vector<MaskedPicture> pictures_;
  Options options_;
};

}  // namespace fovea
