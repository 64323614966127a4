#include "modules/plan/kernels/convert.hpp"

#include "modules/ops/kernels/lanes.hpp"

namespace fovea::plan {
namespace {

template <class L, class To, class From>
FOVEA_INLINE std::int64_t copy(To* y, const From* x, std::int64_t i, std::int64_t n) {
  for (; i + L::count <= n; i += L::count) {
    typename L::Floats v;
    L::load(v, x + i);
    L::store(y + i, v);
  }
  return i;
}

template <class To, class From>
FOVEA_SIMD void copy_row(To* y, const From* x, std::int64_t n) {
  copy<kernels::Lanes1>(y, x, copy<kernels::Lanes16>(y, x, 0, n), n);
}

}  // namespace

void bf16_to_f32(float* y, const bf16* x, std::int64_t n) { copy_row(y, x, n); }
void f32_to_bf16(bf16* y, const float* x, std::int64_t n) { copy_row(y, x, n); }

}  // namespace fovea::plan
