// What a block over tokens is given: x alone; x and the tokens it looks at; or queries, keys and values. A boolean N x S as the last
// input is true where a key may be attended.
#pragma once

#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {

struct TokenInputs {
  Var queries, keys, values, mask;  // mask: undefined when every key may be attended
};

inline TokenInputs token_inputs(Vars in) {
  TokenInputs t;
  if (in.size() > 1 && in.back().shape().rank() == 2) t.mask = in.back(), in.pop_back();
  check(!in.empty() && in.size() <= 3, "expected tokens, tokens and context, or queries, keys and values; got ", in.size(),
        " values");
  t.queries = in[0];
  t.keys = in.size() > 1 ? in[1] : in[0];
  t.values = in.size() > 2 ? in[2] : t.keys;
  for (const Var& v : {t.queries, t.keys, t.values})
    check(v.shape().rank() == 3 && v.dim(0) == t.queries.dim(0), "expected tokens N x L x C with N = ", t.queries.dim(0),
          ", got ", v.shape());
  check(t.values.dim(1) == t.keys.dim(1), "expected as many values as keys, ", t.keys.dim(1), ", got ", t.values.dim(1));
  if (t.mask.defined())
    check(t.mask.shape() == Shape{t.keys.dim(0), t.keys.dim(1)}, "expected a mask N x S = ", t.keys.dim(0), "x", t.keys.dim(1),
          ", got ", t.mask.shape());
  return t;
}

// x (N x h x S x d) with zeros for the keys that may not be attended.
inline Var keep_keys(const Var& x, const Var& mask) {
  return mask.defined() ? where(reshape(mask, {mask.dim(0), 1, mask.dim(1), 1}), x, scale(x, 0)) : x;
}

}  // namespace fovea
