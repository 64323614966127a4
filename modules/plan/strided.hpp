// A value as a view of another value's memory. Changes of shape and of the order of axes, cuts and repetitions become such views, one of
// the other, so that elements move once at most: where something wants them dense.
#pragma once

#include <optional>
#include <vector>

#include "modules/core/shape.hpp"

namespace fovea::plan {

// One strided copy: element (i, j, ...) lies at `from` + i * read[0] + j * read[1] + ... and goes to `to` + i * write[0] + ... Sorted
// by `write`, largest first; no dimension of size 1, none that could be one with the dimension behind it.
struct Move {
  struct Dim {
    std::int64_t size, read, write;
  };
  std::int64_t from = 0, to = 0;
  std::vector<Dim> dims;

  std::int64_t elements() const;
  // Whether it changes nothing but where the whole begins.
  bool straight() const { return dims.empty() || (dims.size() == 1 && dims[0].read == 1 && dims[0].write == 1); }
};

class Strided {
 public:
  // A value of its own, as the plan keeps it in memory; `rows`: row-major though of rank 4.
  static Strided of(const Shape& shape, bool rows = false);

  Shape shape() const;
  // Nothing where the view cannot be one of the same memory.
  std::optional<Strided> reshaped(const Shape& to) const;
  std::optional<Strided> sliced(int axis, std::int64_t begin, std::int64_t count, std::int64_t step) const;
  Strided permuted(const Shape& order) const;
  Strided expanded(const Shape& to) const;
  // The copy that makes it dense, at the place of element `to` (an index for every axis) of a value of shape `whole`; `rows`: as in of().
  Move move(const Shape& whole, const Shape& to, bool rows = false) const;
  // One step for every axis; nothing where an axis has no single one.
  std::optional<Shape> strides() const;
  std::int64_t offset() const { return offset_; }

 private:
  struct Factor {
    std::int64_t size, stride;
  };
  using Axis = std::vector<Factor>;  // factors of its size, the outermost first; none of size 1

  static Axis merged(const Axis& axis);

  std::int64_t offset_ = 0;
  std::vector<Axis> axes_;
};

}  // namespace fovea::plan
