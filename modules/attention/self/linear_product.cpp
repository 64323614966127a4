#include "modules/attention/self/linear_product.hpp"

#include "modules/attention/self/tokens.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/causal_product.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// A column of ones of x's type.
Var ones_beside(const Var& x) { return scale(slice(x, 3, 0, 1), 0, 1); }

Var causal_keys(const Var& q, const Var& keys) {
  check(keys.dim(2) >= q.dim(2), "causal attention: expected at least as many keys as queries, got ", keys.dim(2), " for ",
        q.dim(2));
  return keys.dim(2) == q.dim(2) ? keys : slice(keys, 2, 0, q.dim(2));
}

// The sum of weights of each query, N x h x L x 1.
Var with_eps(const Var& total, const Var& q, const LinearProduct& o) {
  const Var inner = o.inner_eps > 0 ? total + scale(sum(q, {3}), o.inner_eps) : total;
  return o.outer_eps > 0 ? scale(inner, 1, o.outer_eps) : inner;
}

Var totals(const Var& q, const Var& k, const LinearProduct& o) {
  if (o.causal) return with_eps(causal_product(q, causal_keys(q, k), ones_beside(causal_keys(q, k))), q, o);
  return with_eps(matmul(q, transposed(sum(k, {2}))), q, o);
}

}  // namespace

Var linear_product(const Var& q, const Var& k, const Var& v, const LinearProduct& o) {
  if (!o.causal) return matmul(q, matmul(transposed(k), v)) / totals(q, k, o);
  // One more column of ones gives the sums of weights on the way.
  const Var values = causal_keys(q, v), both = causal_product(q, causal_keys(q, k), concat({values, ones_beside(values)}, 3));
  const std::int64_t m = v.dim(3);
  return slice(both, 3, 0, m) / with_eps(slice(both, 3, m, m + 1), q, o);
}

Var linear_received(const Var& q, const Var& k, const LinearProduct& o) {
  const double share = 1.0 / static_cast<double>(q.dim(2));
  const Var inverse = scale(pow(totals(q, k, o), -1), share);
  if (o.causal) return transposed(causal_product(causal_keys(q, k), q, inverse, true));
  return transposed(matmul(k, transposed(sum(q * inverse, {2}))));
}

}  // namespace fovea
