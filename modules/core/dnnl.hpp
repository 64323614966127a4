// All of oneDNN behind one door: compiles against 2.6 and 3.x.
// Every function returns false where oneDNN has nothing but a slow reference or a faulty implementation; the caller then runs its own
// kernel. Scratchpads are per thread, primitives and reordered weights are cached.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "modules/core/tensor.hpp"

namespace fovea::dnn {

enum class Activation : std::uint8_t { none, relu, leaky_relu, sigmoid, tanh };

struct Conv {
  std::array<std::int64_t, 2> stride{1, 1}, dilation{1, 1};  // rows, columns; dilation 1 is dense
  std::array<std::int64_t, 2> pad_begin{0, 0}, pad_end{0, 0};
  std::int64_t groups = 1;
  bool transposed = false;  // weights I x O/groups x kh x kw instead of O x I/groups x kh x kw
  Activation activation = Activation::none;
  float slope = 0;  // of leaky_relu
};

// y = activation(conv(x, w) + bias + residual). Maps are dense channels-last, f32 or bf16; w and bias are f32 row-major; bias and
// residual may be undefined; residual has y's shape and type.
bool conv_forward(const Conv& c, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& residual, Tensor& y);
// gx from gy. The activation plays no part here.
bool conv_backward_data(const Conv& c, const Tensor& gy, const Tensor& w, Tensor& gx);
// gw (f32 row-major) and, where defined, gb from x and gy.
bool conv_backward_weights(const Conv& c, const Tensor& x, const Tensor& gy, Tensor& gw, Tensor& gb);

// c = a b (+ bias along the last axis). Same rank, at least 2; leading axes are batch and broadcast; any strides that leave one
// of the last two axes dense. f32 or bf16; bias f32.
bool matmul(const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c);

// The name of the implementation that conv_forward / backward_data / backward_weights ('f', 'd', 'w') would run.
std::string conv_implementation(const Conv& c, char pass, const Tensor& x, const Tensor& w, const Tensor& y);

struct CacheStats {
  std::size_t primitives = 0, weights = 0, weight_bytes = 0;
  std::uint64_t reorders = 0;
};
CacheStats cache_stats();
void clear_caches();

std::string version();  // "2.6.3"

}  // namespace fovea::dnn
