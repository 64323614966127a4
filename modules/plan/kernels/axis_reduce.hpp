// Sums and maxima of a channels-last map (N, C, H, W) along rows, columns and channels, all that are wanted with one read of the map: a
// few rows go through every reduction while they are in cache. Threads share the map by rows, as the steps before and after it do, so that
// each part stays in the cache of its core: shared by columns, the step that gates 56x56x256 on two threads took 0.19 ms instead of 0.08.
// Sums down the rows are taken in parts that depend on the shape alone, so that the number of threads does not change a bit. A NaN wins over
// every maximum.
#pragma once

#include <optional>
#include <vector>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

class AxisReduceKernel {
 public:
  static constexpr std::size_t kMaxAxes = 16;  // of `axes`; an axis may be reduced in several ways
  AxisReduceKernel(std::vector<role::ReducedAxis> axes, const Shape& x);
  std::int64_t workspace() const;  // elements
  // T is float or bf16. out[k]: the result of axes[k], a dense channels-last map of f32 with 1 or 2 in place of the axis.
  template <class T>
  void run(const T* x, float* const* out, float* workspace) const;

 private:
  struct Rows {  // that go through all reductions together
    std::int64_t first, count;
    bool initialize;  // the first of their part
  };
  template <class T>
  void part(std::int64_t index, const T* x, float* const* out, float* sum, float* max) const;
  template <class T>
  void rows_and_columns(const Rows& rows, const T* x, float* y, float* sum, float* max) const;
  template <class T>
  void down(const Rows& rows, const T* x, float* sum, float* max) const;
  template <class T>
  void along_row(const role::ReducedAxis& axis, const T* x, float* y) const;
  void join(std::int64_t sample, std::int64_t from, const float* parts, float* const* out) const;

  std::vector<role::ReducedAxis> axes_;
  std::int64_t samples_, channels_, height_, width_;
  std::int64_t parts_, part_;  // number of parts of a sample, rows of a part at most
  std::int64_t row_;           // elements of a row
  std::optional<std::size_t>
      row_column_;                      // index of the reduction along columns that RowColumnReduce computes with those of rows
  bool down_ = false, maxima_ = false;  // whether axis 2 is reduced at all, and to a maximum
};

}  // namespace fovea::plan
