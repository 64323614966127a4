// Whole slices by number: index_select and embedding. Indices are s64; one outside the axis is an error.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// index: (K). The result has x's shape with K on that axis; a channels-last map stays one.
Var index_select(const Var& x, int axis, const Var& index);

// table: (V, D), index: any shape. The result has the index's shape and D. Row `padding` (none if negative) gets no gradient.
Var embedding(const Var& table, const Var& index, std::int64_t padding = -1);

}  // namespace fovea
