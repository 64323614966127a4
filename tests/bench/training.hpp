// What the measurements of training share: a network's convolutions bare in oneDNN, and PyTorch's time for the same step.
#pragma once

#include <string>
#include <vector>

#include "modules/core/dnnl.hpp"
#include "modules/model.hpp"

namespace fovea::bench {

// Values in [0, 1), channels-last where the rank is 4.
Tensor random_map(const Shape& shape, DType dtype);

// Every convolution of a network, forward and backward, as three calls of oneDNN's direct algorithms on memory that is there already.
// Strides and pads are read off the shapes: kernels are odd, pads half of them, sizes divide by the stride.
class BareConvolutions {
 public:
  BareConvolutions(const Model& model, const Shape& input, DType precision);
  void operator()();

 private:
  struct Layer {
    dnn::Conv conv;
    Tensor x, w, y, gx, gw;
    bool wants_data;
  };
  std::vector<Layer> layers_;
};

struct PyTorchStep {
  double ms = 0;
  std::string version = {}, missing = {};  // missing: why there is no time
};
// PyTorch's step of the model that torch_train_bench.py calls `name`: on the processors of this thread, with denormals as zero.
PyTorchStep pytorch_step(const std::string& name, int threads);

}  // namespace fovea::bench
