// The arithmetic that a network cannot do without, as fast as oneDNN does it: what compiled plans are measured against.
#pragma once

#include <memory>
#include <vector>

#include "modules/core/dnnl_prepared.hpp"
#include "modules/model.hpp"

namespace fovea::bench {

// Every convolution of a network with its bias, each as one prepared direct primitive on memory of its own.
class BareForward {
 public:
  BareForward(const Model& model, const Shape& input, DType precision);
  void operator()();

 private:
  struct Layer {
    std::unique_ptr<dnn::PreparedConv::Call> call;
    Tensor x, w, bias, y, scratchpad;
  };
  std::vector<Layer> layers_;
};

}  // namespace fovea::bench
