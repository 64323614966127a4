// Feature vectors of many pictures, of which as many are kept as memory is there for: each as likely, whatever comes behind it. Vitter 1985, algorithm R.
#pragma once

#include <vector>

#include "modules/core/random.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

class PatchSample {
 public:
  // The same vectors in the same order give the same sample.
  PatchSample(std::int64_t channels, std::int64_t most, std::uint64_t seed);

  void add(const float* vector, int picture);
  std::int64_t seen() const { return seen_; }
  std::int64_t size() const { return static_cast<std::int64_t>(pictures_.size()); }
  const std::vector<int>& pictures() const { return pictures_; }  // which one each kept vector is of
  Tensor rows() const;                                            // the kept vectors: size x channels

 private:
  std::int64_t channels_, most_, seen_ = 0;
  Random random_;
  std::vector<float> values_;
  std::vector<int> pictures_;
};

}  // namespace fovea
