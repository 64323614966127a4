// A value as a strided view of another value's memory. Reshape, permute, slice and expand turn one view into another without touching
// memory, so that a sequence of them costs one strided copy at most: where a kernel needs the result dense.
#pragma once

#include <optional>
#include <vector>

#include "modules/core/shape.hpp"

namespace fovea::plan {

// y[to + sum i_k write_k] = x[from + sum i_k read_k] for all indices i_k < size_k; all numbers in elements. Dimensions are sorted by
// `write`, the largest first; none has size 1, and dimensions that can be merged are.
struct StridedCopy {
  struct Dim {
    std::int64_t size, read, write;
  };
  std::int64_t from = 0, to = 0;
  std::vector<Dim> dims;

  std::int64_t elements() const;
  // Whether it copies one contiguous range to another.
  bool contiguous() const { return dims.empty() || (dims.size() == 1 && dims[0].read == 1 && dims[0].write == 1); }
};

class StridedView {
 public:
  // All of a value in the plan's layout; `row_major`: row-major though of rank 4.
  static StridedView of(const Shape& shape, bool row_major = false);

  Shape shape() const;
  // The same elements in row-major order under another shape of as many elements. Nothing where that is no strided view.
  std::optional<StridedView> reshaped(const Shape& to) const;
  // Elements begin, begin + step, ... along an axis. Nothing where the axis was merged from several with different strides.
  std::optional<StridedView> sliced(int axis, std::int64_t begin, std::int64_t count, std::int64_t step) const;
  StridedView permuted(const Shape& order) const;
  StridedView expanded(const Shape& to) const;  // broadcast, with stride 0
  // The copy that writes it as a dense part of a value of shape `whole`, beginning at index `to` (one for each axis); `row_major`: as in
  // of().
  StridedCopy copy_to(const Shape& whole, const Shape& to, bool row_major = false) const;
  // In elements, one for each axis, 0 for axes of size 1. Nothing where an axis has no single stride.
  std::optional<Shape> strides() const;
  std::int64_t offset() const { return offset_; }  // of the first element

 private:
  struct Factor {
    std::int64_t size, stride;
  };
  using Axis = std::vector<Factor>;  // an axis is a product of factors with strides of their own, outermost first, none of size 1

  static Axis merged(const Axis& axis);

  std::int64_t offset_ = 0;
  std::vector<Axis> axes_;
};

}  // namespace fovea::plan
