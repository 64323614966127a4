// Training batches of pictures with boxes.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "datasets/boxes/annotations.hpp"
#include "datasets/boxes/augment.hpp"
#include "datasets/photos.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

// How often each picture is drawn, at least once, so that rare classes are seen: repeat-factor sampling (Gupta et al. 2019,
// arXiv:1908.03195). A class on a share f of the pictures, below `threshold`, asks for (threshold / f) ^ (balance / 2) times;
// a picture gets what its rarest class asks for. A balance of 1 is the paper's square root, of 0 nothing. Ignored objects do
// not count.
std::vector<double> repeat_factors(const std::vector<std::vector<Annotation>>& pictures, double balance, double threshold);

// Batch k depends on (seed, k) alone. An epoch is a permutation of all pictures; with a balance pictures stand in it as often
// as their factor says, at least once. The pictures that mosaic, mixup and copy-paste add are drawn by the same factors.
//   inputs   "image"   N x channels x height x width, f32, channels-last, normalised
//   targets  "boxes"   N x M x 4, f32: x1, y1, x2, y2 in pixels of the input, edges as in box.hpp; zeros where there is none
//            "labels"  N x M, s64: the class, -2 - class for an object that is ignored, -1 where there is none
// M is the largest number of boxes on a picture of the batch, at least 1.
class BoxSource final : public BatchSource {
 public:
  struct Options {
    Preprocess preprocess;
    BoxAugment augment;
    int batch = 16;
    std::uint64_t seed = 0;
    std::int64_t classes = 0;  // how many; 0: labels are not checked against it
    // Of the network's input, each as likely for a batch; empty: that of `preprocess`, which `resize: none` does not have.
    std::vector<cv::Size> sizes = {};
    // From this batch on mosaic, copy-paste and mixup are off, so that the end of a training sees pictures as they are (Ge et
    // al. 2021, arXiv:2107.08430).
    std::int64_t plain_from = std::numeric_limits<std::int64_t>::max();
    double balance = 0, balance_threshold = 0.1;
    PhotoOptions photos = {};  // pictures that are kept smaller keep their boxes
  };
  // Decodes all pictures once. Those that cannot be read, or are not of the size that the annotations say, are listed in
  // bad(). Error where none is left, for options that make no sense, and for boxes without area and labels out of range.
  BoxSource(const std::vector<AnnotatedImage>& images, const Options& options);
  Batch batch(std::int64_t number) const override;

  cv::Size size_of(std::int64_t batch) const;  // of its pictures
  std::size_t size() const { return annotations_.size(); }
  std::int64_t epoch() const { return epoch_; }  // pictures an epoch; more than size() with a balance
  const std::vector<BadFile>& bad() const { return bad_; }

 private:
  void take(std::size_t photo, const AnnotatedImage& image);
  BoxPicture picture(std::size_t index) const;
  std::size_t index_at(double place) const;
  std::size_t pick(std::int64_t position) const;

  Options options_;
  BoxAugment plain_;  // from plain_from on
  Photos photos_;
  std::vector<std::size_t> photo_of_;                 // of each picture that is used
  std::vector<cv::Size> sizes_;                       // of their files
  std::vector<std::vector<Annotation>> annotations_;  // in pixels of these
  std::vector<double> ends_;  // each picture has a part of a line, as long as its factor; where the part ends
  std::int64_t epoch_ = 0;
  std::vector<BadFile> bad_;
};

}  // namespace fovea
