// Layers: parameters and the op that uses them. Options are designated initialisers; initial values follow PyTorch's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "modules/nn/scope.hpp"
#include "modules/ops/conv2d.hpp"

namespace fovea {

// Parameters weight (O x I/groups x k x k) and bias (O).
class Conv2d {
 public:
  struct Options {
    std::int64_t in = 0, out = 0, kernel = 1, stride = 1, pad = 0, dilation = 1, groups = 1;
    bool bias = true;
    Activation activation = Activation::none;
    double slope = 0.01;
    Init init = {};       // of the weight; empty: uniform in +-1/sqrt(fan_in)
    Init bias_init = {};  // likewise
    bool same = false;    // TensorFlow's SAME padding instead of `pad`: output ceil(size / stride), the odd pixel after
  };
  Conv2d(const Scope& scope, const Options& options);
  Var operator()(const Var& x, const Var& residual = {}) const;

  Var weight, bias;

 private:
  std::string path_;
  Conv2dOptions options_;
  bool same_;
};

// Parameters weight (I x O/groups x k x k) and bias (O).
class ConvTranspose2d {
 public:
  struct Options {
    std::int64_t in = 0, out = 0, kernel = 1, stride = 1, pad = 0, output_pad = 0, groups = 1;
    bool bias = true;
  };
  ConvTranspose2d(const Scope& scope, const Options& options);
  Var operator()(const Var& x) const;

  Var weight, bias;

 private:
  std::string path_;
  Conv2dOptions options_;
};

// Parameters weight (O x I) and bias (O).
class Linear {
 public:
  struct Options {
    std::int64_t in = 0, out = 0;
    bool bias = true;
    Init init = {};       // of the weight; empty: uniform in +-1/sqrt(fan_in)
    Init bias_init = {};  // likewise
  };
  Linear(const Scope& scope, const Options& options);
  Var operator()(const Var& x) const;

  Var weight, bias;

 private:
  std::string path_;
};

// Calls its members in order; members are anything that maps a Var to a Var.
class Sequential {
 public:
  Sequential() = default;
  Sequential(std::initializer_list<std::function<Var(const Var&)>> members) : members_(members) {}
  void add(std::function<Var(const Var&)> member) { members_.push_back(std::move(member)); }
  Var operator()(const Var& x) const;

 private:
  std::vector<std::function<Var(const Var&)>> members_;
};

}  // namespace fovea
