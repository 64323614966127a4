// Pointwise functions of one map: the result has the input's shape, type and layout.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var relu(const Var& x);
Var leaky_relu(const Var& x, double slope = 0.01);
Var relu6(const Var& x);
Var sigmoid(const Var& x);
Var tanh(const Var& x);
Var hard_sigmoid(const Var& x);           // clamp(x + 3, 0, 6) / 6
Var hard_swish(const Var& x);             // x * hard_sigmoid(x)
Var silu(const Var& x);                   // x * sigmoid(x)
Var gelu(const Var& x);                   // x * (1 + erf(x / sqrt 2)) / 2, the exact form
Var elu(const Var& x, double alpha = 1);  // x above 0, alpha (exp(x) - 1) below
Var softplus(const Var& x);               // log(1 + exp(x))
Var exp(const Var& x);
Var log(const Var& x);
Var sqrt(const Var& x);
Var pow(const Var& x, double exponent);
Var clamp(const Var& x, double low, double high);  // gradient 1 on [low, high], as PyTorch
Var neg(const Var& x);
Var scale(const Var& x, double factor, double shift = 0);  // factor * x + shift

}  // namespace fovea
