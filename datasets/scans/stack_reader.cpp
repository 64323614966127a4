#include "datasets/scans/stack_reader.hpp"

#include <algorithm>

#include "datasets/scans/unit_range.hpp"
#include "modules/core/error.hpp"

namespace fovea {

StackReader::StackReader(std::shared_ptr<const ImageStack> stack, const Preprocess& preprocess)
    : stack_(std::move(stack)), preprocess_(preprocess) {}

StackReader::Kept& StackReader::at(int i) {
  const int reach = preprocess_.neighbours ? preprocess_.channels : 1;
  std::erase_if(kept_, [&](const auto& entry) { return std::abs(entry.first - i) > reach; });
  const auto [place, fresh] = kept_.try_emplace(i);
  Kept& kept = place->second;
  if (!fresh) return kept;
  kept.image = stack_->read(i);
  kept.values = unit_range(kept.image.values, preprocess_, kept.image.padding, kept.image.inverted);
  return kept;
}

const StackImage& StackReader::image(int i) { return at(i).image; }

cv::Mat StackReader::values(int i) {
  if (!preprocess_.neighbours) return at(i).values;
  const Range volume = volume_of(i);
  std::vector<cv::Mat> slices;
  for (int k = -(preprocess_.channels / 2); k <= preprocess_.channels / 2; ++k) {
    slices.push_back(at(std::clamp(i + k, volume.first, volume.last)).values);
    check(slices.back().channels() == 1, "slices as channels: expected grey slices, got ", slices.back().channels(), " channels");
  }
  cv::Mat out;
  cv::merge(slices, out);
  return out;
}

StackReader::Range StackReader::volume_of(int i) const {
  int first = 0;
  for (const int count : stack_->volumes()) {
    if (i < first + count) return {first, first + count - 1};
    first += count;
  }
  fail("stack: there is no picture ", i);
}

}  // namespace fovea
