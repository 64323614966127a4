// A layer of which each output's weights have a length of their own: w = g v / |v|, Salimans & Kingma 2016, arXiv:1602.07868.
#pragma once

#include <cmath>

#include "modules/nn/scope.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

// Parameters weight_g (out x 1), at first 1 / sqrt(in), weight_v (out x in), bias (out) if wanted.
class NormedLinear {
 public:
  NormedLinear(const Scope& s, std::int64_t in, std::int64_t out, bool bias)
      : g_(s.param("weight_g", {out, 1}, init::constant(1 / std::sqrt(static_cast<double>(in))))),
        v_(s.param("weight_v", {out, in}, init::fan_in_uniform(in))) {
    if (bias) bias_ = s.param("bias", {out}, init::fan_in_uniform(in));
  }
  Var operator()(const Var& x) const { return linear(x, v_ * (g_ / sqrt(sum(v_ * v_, {1}))), bias_); }

 private:
  Var g_, v_, bias_;
};

}  // namespace fovea
