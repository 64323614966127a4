// Statistics of channels-last maps, in one pass over memory. Sums are taken over parts that depend on the shape alone and joined in their
// order, so that threads do not change a result. A NaN wins over every maximum.
#pragma once

#include <cstdint>

namespace fovea::plan {

// A map as `samples` of `places` x `channels`, cut into parts of places.
struct GlobalParts {
  std::int64_t samples, places, channels, parts, part;  // `parts` of at most `part` places a sample
  GlobalParts(std::int64_t samples, std::int64_t places, std::int64_t channels);
  std::int64_t workspace() const { return samples * parts * 2 * channels; }  // elements
};

// Mean and maximum over the places, samples x channels each; null for one that is not wanted.
void global_statistics(const GlobalParts& p, const float* x, float* mean, float* maximum, float* workspace);

// Maximum and mean over the channels of each of `places`: y holds two values a place.
void channel_statistics(float* y, const float* x, std::int64_t places, std::int64_t channels, bool mean_first);

}  // namespace fovea::plan
