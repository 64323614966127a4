#include "modules/core/accumulate.hpp"

#include "modules/core/iterate.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

template <class T>
FOVEA_INLINE void add_row(T* out, const T* a, const T* b, std::int64_t n, std::int64_t so, std::int64_t sa, std::int64_t sb) {
  using C = compute_t<T>;
  if (so == 1 && sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(a[i]) + static_cast<C>(b[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i * so] = static_cast<C>(a[i * sa]) + static_cast<C>(b[i * sb]);
  }
}

// One clone set per type: target_clones takes no templates.
FOVEA_SIMD void add_row_of(float* o, const float* a, const float* b, std::int64_t n, std::int64_t so, std::int64_t sa, std::int64_t sb) {
  add_row(o, a, b, n, so, sa, sb);
}
FOVEA_SIMD void add_row_of(bf16* o, const bf16* a, const bf16* b, std::int64_t n, std::int64_t so, std::int64_t sa, std::int64_t sb) {
  add_row(o, a, b, n, so, sa, sb);
}
void add_row_of(double* o, const double* a, const double* b, std::int64_t n, std::int64_t so, std::int64_t sa, std::int64_t sb) {
  add_row(o, a, b, n, so, sa, sb);
}

}  // namespace

void accumulate(Tensor& sum, const Tensor& value) {
  check(sum.shape() == value.shape(), "accumulate: expected ", sum.shape(), ", got ", value.shape());
  const Tensor from = value.to(sum.dtype());
  const bool alone = sum.storage().use_count() == 1 && sum.is_dense();
  Tensor out = alone ? sum : Tensor::like(sum);
  dispatch_compute(sum.dtype(), "accumulate", [&](auto zero) {
    using T = decltype(zero);
    const std::array<Operand, 3> operands{Operand{out.raw(), out.strides(), sizeof(T)}, Operand{sum.raw(), sum.strides(), sizeof(T)},
                                          Operand{const_cast<void*>(from.raw()), from.strides(), sizeof(T)}};
    for_each_row<3>(sum.shape(), operands, [](std::int64_t n, const auto& p, const auto& s) {
      add_row_of(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]), n, s[0], s[1], s[2]);
    });
  });
  sum = out;
}

}  // namespace fovea
