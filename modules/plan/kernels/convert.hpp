// Between bf16 in memory and f32 in registers: kernels compute on tiles of f32, whatever the type of the map.
#pragma once

#include <cstdint>

#include "modules/core/dtype.hpp"

namespace fovea::plan {

// n neighbours; rounded to nearest even.
void widen(float* y, const bf16* x, std::int64_t n);
void narrow(bf16* y, const float* x, std::int64_t n);

// Calls f(T{}) with the C++ type of a value of a plan.
template <class F>
decltype(auto) dispatch_map(DType type, F&& f) {
  return type == DType::bf16 ? f(bf16{}) : f(float{});
}

}  // namespace fovea::plan
