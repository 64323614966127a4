// Pictures that show nearly the same: stored anew, smaller or brighter, or moved by some pixels, as neighbouring frames of a
// video and neighbouring fields of a slide are. Not found: mirrored, turned, or zoomed by more than a few percent.
//
// Each picture is shrunk to 64x64 grey values. The signs of the 63 lowest frequencies of a window's cosine transform against
// their median are a hash of it (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010). The middle
// window of one picture is looked for among all windows of the other; a hash within 8 bits is confirmed by the correlation of
// all that both pictures share.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

class PictureSketch {
 public:
  // Of 8 or 16 bits; grey, BGR or BGRA.
  explicit PictureSketch(const cv::Mat& picture);

  static constexpr int kSide = 64, kWindow = 36, kStep = 2;
  static constexpr int kWindows = (kSide - kWindow) / kStep + 1;  // along each side

  const cv::Mat& grey() const { return grey_; }  // CV_8U, kSide x kSide
  // Of one grey there is nothing to tell it by: it is like no other picture.
  bool plain() const { return plain_; }
  std::uint64_t hash(int column, int row) const { return hashes_[static_cast<std::size_t>(row * kWindows + column)]; }
  std::uint64_t middle() const { return hash(kWindows / 2, kWindows / 2); }

 private:
  cv::Mat grey_;
  bool plain_ = false;
  std::array<std::uint64_t, std::size_t{kWindows} * kWindows> hashes_{};
};

struct NearDuplicate {
  std::size_t index = 0;   // of the other picture
  double shared = 0;       // of the area, from 0.75
  double correlation = 0;  // of the shared part, from 0.9
};

// The one of `others` that the picture nearly equals, if there is one; of several the most alike by hash.
std::optional<NearDuplicate> near_duplicate(const PictureSketch& picture, const std::vector<PictureSketch>& others);
// Likewise for each of several pictures, on all threads of the caller's width.
std::vector<std::optional<NearDuplicate>> near_duplicates(const std::vector<PictureSketch>& pictures,
                                                          const std::vector<PictureSketch>& others);
// For people: what a picture has in common with `other`, which is in `part`.
std::string near_duplicate_text(const NearDuplicate& found, const std::filesystem::path& other, const std::string& part);

}  // namespace fovea
