// Pictures whose size grows over the training: small ones teach as much at first and cost less (Touvron et al. 2019, arXiv:1906.06423).
#pragma once

#include <memory>
#include <vector>

#include "datasets/photos.hpp"

namespace fovea {

class ProgressiveResizing final : public BatchSource {
 public:
  // Square pictures of each of `sizes` for an equal part of `batches`. With no sizes, those of the preprocessing all the time.
  ProgressiveResizing(const Photos& photos, PhotoSource::Options options, const std::vector<int>& sizes, std::int64_t batches);
  Batch batch(std::int64_t number) const override;

 private:
  std::int64_t each_;
  std::vector<std::unique_ptr<PhotoSource>> sources_;
};

}  // namespace fovea
