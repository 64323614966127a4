// How a video is opened and decoded.
#pragma once

#include <atomic>
#include <cstdint>

namespace fovea {

struct VideoOptions {
  int threads = 1;                                   // of the decoder
  const std::atomic<bool>* stop = nullptr;           // ends opening and reading at once where it is set; outlives the reader
  double timeout = 10;                               // seconds that an address may stay silent, in opening as in reading
  bool low_latency = false;                          // of an address: opened on a short look, no frames held back
  std::int64_t most_pixels = std::int64_t{1} << 30;  // of a frame
};

}  // namespace fovea
