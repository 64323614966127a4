// Reductions of dense channels-last maps, read once: over the positions of each channel and over the channels of each position. Sums are
// taken in parts that depend on the shape alone and joined in a fixed order, so that the number of threads does not change a bit. A NaN wins
// over every maximum. T is float or bf16; results are f32.
#pragma once

#include <cstdint>

#include "modules/core/dtype.hpp"

namespace fovea::plan {

// A map of `samples` x `positions` x `channels`, each sample cut into `parts` of at most `part` positions.
struct GlobalReduceParts {
  std::int64_t samples, positions, channels, parts, part;
  GlobalReduceParts(std::int64_t samples, std::int64_t positions, std::int64_t channels);
  std::int64_t workspace() const { return samples * parts * 2 * channels; }  // elements
};

// Mean and maximum over the positions, each samples x channels; null where not wanted.
template <class T>
void global_reduce(const GlobalReduceParts& p, const T* x, float* mean, float* maximum, float* workspace);

// Maximum and mean over the channels: x is positions x channels, y positions x 2. Runs on the calling thread.
template <class T>
void channel_reduce(float* y, const T* x, std::int64_t positions, std::int64_t channels, bool mean_first);

}  // namespace fovea::plan
