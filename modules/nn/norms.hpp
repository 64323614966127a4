// Normalisation layers and dropout, with PyTorch's parameter names and defaults.
#pragma once

#include <string>

#include "modules/nn/scope.hpp"

namespace fovea {

// Parameters weight, bias; buffers running_mean, running_var, num_batches_tracked. Uses the batch's statistics, and moves the running
// ones, only while training (training.hpp) and only when its weight is trained: a frozen norm keeps its statistics.
class BatchNorm2d {
 public:
  struct Options {
    double momentum = 0.1, eps = 1e-5;
    double weight = 1;  // at first: 0 makes a fresh branch silent
  };
  BatchNorm2d(const Scope& scope, std::int64_t channels) : BatchNorm2d(scope, channels, Options()) {}
  BatchNorm2d(const Scope& scope, std::int64_t channels, const Options& options);
  Var operator()(const Var& x) const;
  // The same and its activation; while training one op, which saves passes over the map.
  Var relu(const Var& x) const;
  Var relu6(const Var& x) const;

  Var weight, bias, running_mean, running_var, batches;

 private:
  bool training() const;  // counts the batch, too
  Var clamped(const Var& x, double high) const;

  std::string path_;
  Options options_;
};

// Over the last axis. Parameters weight, bias.
class LayerNorm {
 public:
  LayerNorm(const Scope& scope, std::int64_t features, double eps = 1e-5);
  Var operator()(const Var& x) const;

  Var weight, bias;

 private:
  std::string path_;
  double eps_;
};

// Parameters weight, bias.
class GroupNorm {
 public:
  GroupNorm(const Scope& scope, int groups, std::int64_t channels, double eps = 1e-5);
  Var operator()(const Var& x) const;

  Var weight, bias;

 private:
  std::string path_;
  int groups_;
  double eps_;
};

class Dropout {
 public:
  explicit Dropout(double probability);
  Var operator()(const Var& x) const;

 private:
  double probability_;
};

// Ghiasi et al. 2018, arXiv:1810.12890: squares of maps (N, C, H, W) instead of single values.
class DropBlock {
 public:
  struct Options {
    double probability = 0;
    int block = 7;  // side of the squares
  };
  explicit DropBlock(const Options& options);
  Var operator()(const Var& x) const;

 private:
  Options options_;
};

}  // namespace fovea
