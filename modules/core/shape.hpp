// Shapes and strides: up to 8 dimensions, counted in elements.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}
  Shape(std::span<const std::int64_t> dims) {
    for (auto d : dims) push_back(d);
  }
  Shape(const std::vector<std::int64_t>& dims) : Shape(std::span<const std::int64_t>(dims)) {}

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return dims_[static_cast<std::size_t>(i)]; }
  std::int64_t& operator[](int i) { return dims_[static_cast<std::size_t>(i)]; }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }
  void push_back(std::int64_t d) {
    check(rank_ < kMaxRank, "shape: at most ", kMaxRank, " dimensions are supported");
    dims_[static_cast<std::size_t>(rank_++)] = d;
  }
  bool operator==(const Shape& o) const;

  // Product of the dimensions; 1 for a scalar. Refuses negative dimensions and overflow.
  std::int64_t elements() const;
  // Index of a dimension given from the front (0, 1, ...) or the back (-1, -2, ...).
  int axis(int i, std::string_view what = "shape") const;
  Shape without(int axis) const;
  Shape with(int axis, std::int64_t size) const;
  std::string str() const;  // "1x3x224x224"

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

// NumPy's rule: aligned at the last dimension, sizes equal or 1.
Shape broadcast(const Shape& a, const Shape& b, std::string_view what);

// How a dense tensor lies in memory. channels_last is for rank 4: N, H, W, C while the logical order stays N, C, H, W.
enum class Layout : std::uint8_t { row_major, channels_last };

Shape dense_strides(const Shape& shape, Layout layout);

}  // namespace fovea
