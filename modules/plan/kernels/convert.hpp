// Conversion between bf16 in memory and f32 in registers: kernels compute in f32 whatever the type of a map.
#pragma once

#include <cstdint>

#include "modules/core/dtype.hpp"

namespace fovea::plan {

// y[i] = x[i] for n contiguous elements; bf16 is rounded to nearest even.
void bf16_to_f32(float* y, const bf16* x, std::int64_t n);
void f32_to_bf16(bf16* y, const float* x, std::int64_t n);

// Calls f(T{}) with the C++ type of a value: bf16 for DType::bf16, float for any other.
template <class F>
decltype(auto) dispatch_map(DType type, F&& f) {
  return type == DType::bf16 ? f(bf16{}) : f(float{});
}

}  // namespace fovea::plan
