// Random crops of pictures with regions, for training.
#pragma once

#include "datasets/regions/augment.hpp"
#include "datasets/regions/picture.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

struct RegionSourceOptions {
  Preprocess preprocess;
  RegionAugment augment;
  int crop = 0;  // side; 0: what `preprocess` says, which then shows the whole picture
  int batch = 8;
  double balance = 0;     // probability that a crop's middle is a pixel of a class: of each class that the picture has as often
  bool distance = false;  // target "distance" (object_distance); of classes without objects that of the mask as one
  bool edges = false;     // target "edges" (signed_distance), as a share of the crop's side
  std::uint64_t seed = 0;
};

// Batch k depends on (seed, k) alone; every picture once before any comes again. Input "image": N x channels x H x W, normalised; targets "mask" and,
// where asked for, "distance" and "edges": N x classes x H x W, f32.
class RegionSource final : public BatchSource {
 public:
  // Pictures in their own pixels.
  RegionSource(std::vector<RegionPicture> pictures, RegionSourceOptions options);
  Batch batch(std::int64_t number) const override;
  cv::Size crop() const { return crop_; }

 private:
  struct Prepared {
    cv::Mat values;
    std::vector<cv::Mat> masks, distances;
    std::vector<std::vector<cv::Point>> pixels;  // some of each class that is there
  };
  cv::Point2d centre_of(const Prepared& picture, Random& random) const;
  void put(Batch& batch, std::int64_t index, const Prepared& picture, Random& random) const;

  RegionSourceOptions options_;
  std::vector<Prepared> pictures_;
  cv::Size crop_;
  cv::Scalar border_;  // around a letterbox, 0..1
};

}  // namespace fovea
