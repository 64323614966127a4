// A function of rows, such as attention whose weights need whole rows of scores, worked out for some rows at a time.
#pragma once

#include <functional>

#include "modules/autograd/var.hpp"

namespace fovea {

// y rows first .. of f, from x's rows first .. and the whole of what else there is.
using RowFunction = std::function<Var(const Var& x, std::int64_t first, const Vars& others)>;

// f over `rows` rows of x (axis 2 of N x h x L x d) at a time; results N x h x L x e. The backward pass runs f again, block for block, so
// that what f holds on its way is only ever there for one block. f must give the same result each time, use no value with a
// gradient beyond its arguments, and name no taps; `others` are all defined; a row of its result depends on its row of x alone.
Var row_blocks(const RowFunction& f, const Var& x, const Vars& others, std::int64_t rows);

}  // namespace fovea
