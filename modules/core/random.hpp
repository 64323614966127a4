// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): the state is two integers, so a checkpoint holds it
// exactly, and independent streams need no coordination.
#pragma once

#include <array>
#include <cstdint>

#include "modules/core/tensor.hpp"

namespace fovea {

class Random {
 public:
  explicit Random(std::uint64_t seed = 0, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint32_t next();
  double uniform();                    // [0, 1)
  double normal();                     // mean 0, variance 1
  std::int64_t below(std::int64_t n);  // [0, n)
  void fill_uniform(Tensor& t, double low, double high);
  void fill_normal(Tensor& t, double mean, double stddev);

  // Everything needed to go on exactly here.
  struct State {
    std::uint64_t seed = 0, stream = 0, drawn = 0;
    bool operator==(const State&) const = default;
  };
  State state() const { return {seed_, stream_, drawn_}; }
  void restore(const State& s) { seed_ = s.seed, stream_ = s.stream, drawn_ = s.drawn, block_index_ = kNoBlock; }

 private:
  static constexpr std::uint64_t kNoBlock = ~std::uint64_t{0};
  std::uint64_t seed_, stream_, drawn_ = 0;
  // The four words that hold the next one, kept because they are made together.
  std::uint64_t block_index_ = kNoBlock;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace fovea
