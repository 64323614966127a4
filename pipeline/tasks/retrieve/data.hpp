// Pictures with their sentences, for training and measuring.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/captions/captioned.hpp"
#include "datasets/photos.hpp"
#include "datasets/text/encoder.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

// All sources one after another; what is left out of them, too.
struct Captioned {
  std::vector<CaptionedPicture> pictures;
  std::vector<BadFile> left_out;
};
Captioned read_all(const std::vector<std::filesystem::path>& sources, const CaptionedOptions& options);

// Those that can be decoded.
struct CaptionedPhotos {
  CaptionedPhotos(const std::vector<CaptionedPicture>& pictures, const PhotoOptions& options);

  Photos photos;
  std::vector<std::vector<std::string>> captions;  // of each photo

  std::vector<std::string> all_captions() const;
  std::vector<std::size_t> owners() const;  // of each of them: its photo
};

// Epochs in random order without repetition, with one of a picture's captions each, at random; batch k depends on (seed, k) alone.
// The input "image" is N x channels x height x width; the targets are "tokens" (s64, N x T, padded), "length" (s64, N) and "picture"
// (s64, N): its number.
class PairSource final : public BatchSource {
 public:
  struct Options {
    Preprocess preprocess;
    Augment augment;
    int batch = 32;
    std::uint64_t seed = 0;
  };
  // Error where no picture could be read.
  PairSource(CaptionedPhotos data, const TextEncoder& encoder, const Options& options);
  Batch batch(std::int64_t number) const override;

 private:
  CaptionedPhotos data_;
  std::vector<std::vector<std::vector<std::int64_t>>> tokens_;  // of each photo's captions
  Options options_;
};

}  // namespace fovea
