// Convolutions of 3x3 with stride 1 by minimal filtering (Lavin & Gray 2016, arXiv:1509.09308) on channels-last maps. Windows of
// side m + 2, m apart, and the weights are moved to another basis, in which the convolution is a product at each of (m + 2)^2
// points: matrices of windows x channels times channels x outputs. That takes (m + 2)^2 / (9 m^2) of the multiplications: 0.44 for
// m = 2, 0.25 for m = 4, 0.33 for one of each; errors are about as large as those of the direct sum for m = 2, twice that for m = 4. The points are 0, +-1, infinity and
// 0, +-5/8, +-3/2, infinity, which keep the factors near 1.
#pragma once

#include <cstdint>
#include <optional>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

class Winograd {
 public:
  // Whether such a convolution can be computed so: 3x3, one group, stride and dilation 1.
  static bool fits(const dnn::Conv& c, const Shape& w);
  // How the products are cut up: for the many wide registers of AVX-512, or the few of other processors.
  enum class Registers : std::uint8_t { many, few };
  static Registers registers();  // of this processor
  // Results of one tile: 2 x 2, 2 x 4 or 4 x 4. Larger ones take fewer products and more memory for weights: 1.8, 2.7 and 4 times.
  struct Side {
    int rows, columns;
  };
  // y: N, O, H, W.
  Winograd(const dnn::Conv& c, const Shape& x, const Shape& y, Side side, Registers registers = Winograd::registers());

  Side side() const { return side_; }
  Tensor transform(const Tensor& w) const;    // w: O x I x 3 x 3, f32, row-major
  std::int64_t workspace(int threads) const;  // elements that one run wants

  struct Arguments {
    const float *x, *weights, *bias, *residual;  // weights as transform gave them; bias and residual may be null
    float *y, *workspace;                        // y may be the residual
    std::optional<role::Pointwise> after;        // behind the sum with bias and residual
  };
  // The same bits for every number of threads.
  void run(const Arguments& a) const;

 private:
  template <class Down, class Across>
  void run_tiles(const Arguments& a) const;
  template <class Down, class Across>
  void gather(const Arguments& a, std::int64_t first, std::int64_t from, std::int64_t to, float* moved) const;
  template <class Down, class Across>
  void scatter(const Arguments& a, std::int64_t first, std::int64_t from, std::int64_t to, const float* products) const;
  void multiply(const Arguments& a, std::int64_t count, std::int64_t point, const float* moved, float* products) const;

  std::int64_t points() const { return (side_.rows + 2) * (side_.columns + 2); }
  std::int64_t moved_size() const;    // elements of a block of windows in the other basis
  std::int64_t product_size() const;  // and of what they give

  Side side_;
  Registers registers_;
  std::int64_t samples_, channels_, height_, width_, outputs_, out_height_, out_width_, top_, left_;
  std::int64_t rows_, columns_, tiles_;  // of tiles
  std::int64_t slices_, padded_;         // slices of 16 channels; outputs, a multiple of 16
  std::int64_t block_;                   // tiles that are worked on at a time
};

}  // namespace fovea::plan
