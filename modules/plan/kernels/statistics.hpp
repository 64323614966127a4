// Statistics of channels-last maps, in one pass over memory. Sums are taken over parts that depend on the shape alone and joined in their
// order, so that threads do not change a result. A NaN wins over every maximum. T is float or bf16; sums are f32.
#pragma once

#include <cstdint>

#include "modules/core/dtype.hpp"

namespace fovea::plan {

// A map as `samples` of `positions` x `channels`, cut into parts of positions.
struct GlobalParts {
  std::int64_t samples, positions, channels, parts, part;  // `parts` of at most `part` positions a sample
  GlobalParts(std::int64_t samples, std::int64_t positions, std::int64_t channels);
  std::int64_t workspace() const { return samples * parts * 2 * channels; }  // elements
};

// Mean and maximum over the positions, samples x channels each; null for one that is not wanted.
template <class T>
void global_statistics(const GlobalParts& p, const T* x, float* mean, float* maximum, float* workspace);

// Maximum and mean over the channels of each of `positions`: y holds two values a position.
template <class T>
void channel_statistics(float* y, const T* x, std::int64_t positions, std::int64_t channels, bool mean_first);

}  // namespace fovea::plan
