#include "pipeline/tasks/highlight/patch_sample.hpp"

#include <algorithm>

namespace fovea {
namespace {

constexpr std::uint64_t kStream = 3;

}  // namespace

PatchSample::PatchSample(std::int64_t channels, std::int64_t most, std::uint64_t seed)
    : channels_(channels), most_(most), random_(seed, kStream) {
  check(channels > 0 && most > 0, "patches: expected some channels and vectors, got ", channels, " and ", most);
}

void PatchSample::add(const float* vector, int picture) {
  ++seen_;
  if (size() < most_) {
    values_.insert(values_.end(), vector, vector + channels_);
    pictures_.push_back(picture);
    return;
  }
  const std::int64_t at = random_.below(seen_);
  if (at >= most_) return;
  std::copy_n(vector, channels_, values_.begin() + at * channels_);
  pictures_[static_cast<std::size_t>(at)] = picture;
}

Tensor PatchSample::rows() const { return Tensor::from(values_, {size(), channels_}); }

}  // namespace fovea
