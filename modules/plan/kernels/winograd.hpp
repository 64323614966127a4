// Winograd's minimal filtering for 3x3 convolutions of stride 1 on channels-last maps (Lavin & Gray 2016, arXiv:1509.09308). Input tiles of
// side m + 2 that overlap by 2, and the weights, are transformed; at each of the (m + 2)^2 points the convolution is then a matrix product,
// tiles x channels times channels x outputs, whose result is transformed to output tiles of side m. This takes (m + 2)^2 / (9 m^2) of the
// multiplications: 0.44 for 2x2, 0.33 for 2x4, 0.25 for 4x4. Rounding errors are about those of the direct sum for 2x2, twice that for 4x4.
// The interpolation points are 0, +-1, infinity and 0, +-5/8, +-3/2, infinity, which keep the factors of the transforms near 1.
#pragma once

#include <cstdint>
#include <optional>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

class Winograd {
 public:
  // 3x3, one group, stride and dilation 1, not transposed. w: (O, I, 3, 3).
  static bool fits(const dnn::Conv& c, const Shape& w);
  // How the matrix products are blocked: for the 32 wide registers of AVX-512, or for the 16 of other processors.
  enum class Registers : std::uint8_t { many, few };
  static Registers registers();  // of this processor
  // The output tile: 2 x 2, 2 x 4 or 4 x 4. Larger ones need fewer products and more memory: transformed weights take 1.8, 2.7 and 4 times
  // that of the weights.
  struct Side {
    int rows, columns;
  };
  // x: (N, I, H, W), y: (N, O, OH, OW). fits() must hold.
  Winograd(const dnn::Conv& c, const Shape& x, const Shape& y, Side side, Registers registers = Winograd::registers());

  Side side() const { return side_; }
  Tensor transform(const Tensor& w) const;    // w: (O, I, 3, 3), f32, row-major
  std::int64_t workspace(int threads) const;  // elements for one run

  struct Arguments {
    const float *x, *weights, *bias, *residual;  // weights: from transform(); bias and residual may be null
    float *y, *workspace;                        // y may be the residual
    std::optional<role::Pointwise> after;        // applied to the sum with bias and residual
  };
  // y = after(conv(x) + bias + residual). The same bits for every number of threads.
  void run(const Arguments& a) const;

 private:
  template <class Down, class Across>
  void run_tiles(const Arguments& a) const;
  template <class Down, class Across>
  void gather(const Arguments& a, std::int64_t first, std::int64_t from, std::int64_t to, float* transformed) const;
  template <class Down, class Across>
  void scatter(const Arguments& a, std::int64_t first, std::int64_t from, std::int64_t to, const float* products) const;
  void multiply(const Arguments& a, std::int64_t count, std::int64_t point, const float* transformed, float* products) const;

  std::int64_t points() const { return (side_.rows + 2) * (side_.columns + 2); }
  std::int64_t transformed_size() const;  // elements of a block of transformed input tiles
  std::int64_t product_size() const;      // elements of a block of products

  Side side_;
  Registers registers_;
  std::int64_t samples_, channels_, height_, width_, outputs_, out_height_, out_width_, top_, left_;
  std::int64_t rows_, columns_, tiles_;  // of tiles
  std::int64_t slices_, padded_;         // slices of 16 channels; outputs, a multiple of 16
  std::int64_t block_;                   // tiles that are computed together
};

}  // namespace fovea::plan
