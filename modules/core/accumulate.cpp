#include "modules/core/accumulate.hpp"

#include "modules/core/iterate.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

template <class T>
FOVEA_SIMD void add_row(T* out, const T* a, const T* b, std::int64_t n, std::int64_t so, std::int64_t sa, std::int64_t sb) {
  using C = compute_t<T>;
  if (so == 1 && sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(a[i]) + static_cast<C>(b[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i * so] = static_cast<C>(a[i * sa]) + static_cast<C>(b[i * sb]);
  }
}

}  // namespace

void accumulate(Tensor& sum, const Tensor& value) {
  check(sum.shape() == value.shape(), "accumulate: expected ", sum.shape(), ", got ", value.shape());
  const Tensor from = value.to(sum.dtype());
  const bool alone = sum.storage().use_count() == 1 && sum.is_dense();
  Tensor out = alone ? sum : Tensor::like(sum);
  dispatch_compute(sum.dtype(), "accumulate", [&](auto zero) {
    using T = decltype(zero);
    for_each_row<3>(sum.shape(), {operand(out), operand(sum), operand(from)}, [](std::int64_t n, const auto& p, const auto& s) {
      add_row(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]), n, s[0], s[1], s[2]);
    });
  });
  sum = out;
}

}  // namespace fovea
