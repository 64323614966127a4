// What the files of the oneDNN wrapper that make convolutions share.
#pragma once

#include <memory>
#include <optional>

#include "modules/core/dnnl_cache.hpp"
#include "modules/core/dnnl_prepared.hpp"

namespace fovea::dnn {

// Everything that creating one of the convolution primitives needs.
struct ConvProblem {
  Conv c;
  Shape x, w, y;
  dnnl::memory::data_type type, out;  // of x and the weights; of y and the residual
  bool bias = false;
  ConvSpec::Residual residual = ConvSpec::Residual::none;
  std::optional<Eltwise> after = {};  // forward only

  dnnl::memory::desc source() const;  // x, or its gradient
  dnnl::memory::desc target() const;  // y, or its gradient
  // oneDNN's weights are (groups,) O, I, kh, kw; ours are PyTorch's.
  dnnl::memory::dims weight_dims() const;
  dnnl::memory::desc user_weights() const;
  dnnl::memory::desc any_weights(dnnl::memory::data_type t) const;
  dnnl::memory::desc bias_desc() const;
};

// pass: 'f' forward, 'd' gradient of the data, 'w' gradient of the weights. From the cache, or made.
std::shared_ptr<const Primitive> find_convolution(char pass, const ConvProblem& p);

}  // namespace fovea::dnn
