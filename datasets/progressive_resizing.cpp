#include "datasets/progressive_resizing.hpp"

#include <algorithm>

namespace fovea {

ProgressiveResizing::ProgressiveResizing(const Photos& photos, PhotoSource::Options options, const std::vector<int>& sizes,
                                         std::int64_t batches)
    : each_((batches + static_cast<std::int64_t>(sizes.size()) - 1) /
            std::max<std::int64_t>(1, static_cast<std::int64_t>(sizes.size()))) {
  for (const int size : sizes) {
    check(size > 0 && size <= 16384, "training data: expected sizes from 1 to 16384 pixels, got ", size);
    options.preprocess.height = options.preprocess.width = size;
    sources_.push_back(std::make_unique<PhotoSource>(photos, options));
  }
  if (sizes.empty()) sources_.push_back(std::make_unique<PhotoSource>(photos, options));
  each_ = std::max<std::int64_t>(1, each_);
}

Batch ProgressiveResizing::batch(std::int64_t number) const {
  return sources_[std::min(static_cast<std::size_t>(number / each_), sources_.size() - 1)]->batch(number);
}

}  // namespace fovea
