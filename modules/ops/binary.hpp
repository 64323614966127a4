// Pointwise arithmetic of two values with NumPy's broadcasting: shapes are aligned at the last axis, and axes of size 1 are repeated.
// Gradients are summed back to each input's shape. Error where the shapes do not broadcast or the types differ.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var add(const Var& a, const Var& b);
Var sub(const Var& a, const Var& b);
Var mul(const Var& a, const Var& b);
Var div(const Var& a, const Var& b);
Var maximum(const Var& a, const Var& b);  // ties: half the gradient each, as PyTorch

inline Var operator+(const Var& a, const Var& b) { return add(a, b); }
inline Var operator-(const Var& a, const Var& b) { return sub(a, b); }
inline Var operator*(const Var& a, const Var& b) { return mul(a, b); }
inline Var operator/(const Var& a, const Var& b) { return div(a, b); }

}  // namespace fovea
