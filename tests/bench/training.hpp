// What the measurements of training share: a network's convolutions bare in oneDNN, and PyTorch's time for the same step.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "modules/core/dnnl.hpp"
#include "modules/model.hpp"
#include "tests/bench/child.hpp"
#include "tests/bench/spread.hpp"

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

// PyTorch's step of the model that torch_train_bench.py calls `name`, in a process of its own: on the processors of this thread, with
// denormals as zero.
class PyTorchStep {
 public:
  static constexpr int kSteps = 7;  // that the process takes before it ends

  PyTorchStep(const std::string& name, int threads);  // Error says what is missing
  const std::string& version() const { return version_; }
  double run();  // seconds that one took

 private:
  Child process_;
  std::string version_;
};

// Our step, oneDNN's bare convolutions and, where it is installed, PyTorch's step, in turn.
struct StepTimes {
  Times all;                          // 0: ours, 1: bare, 2: PyTorch's
  std::string version, missing = {};  // PyTorch's; missing: why there are no times of it
};
StepTimes step_times(const std::string& name, int threads, const std::function<void()>& ours, const std::function<void()>& bare);

}  // namespace fovea::bench
