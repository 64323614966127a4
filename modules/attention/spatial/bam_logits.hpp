// BAM's spatial branch up to its logits: 1x1 conv to C/r, bn, relu; several times [3x3 dilated conv, bn, relu]; 1x1 conv to one plane.
// Park et al. 2018, arXiv:1807.06514. Parameters reduce.*, reduce_bn.*, dilated.K.*, dilated_bn.K.*, final.*.
#pragma once

#include <vector>

#include "modules/nn/args.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"

namespace fovea {

class BamLogits {
 public:
  struct Options {
    std::int64_t in = 0, hidden = 0, dilation = 4, convolutions = 2;
  };
  BamLogits(const Scope& scope, const Options& options);
  Var operator()(const Var& x) const;  // N x 1 x H x W

  // Reads `dilation` and `convolutions`.
  static Options read(Args& args, std::int64_t channels, std::int64_t hidden, const std::string& where);

 private:
  Conv2d reduce_;
  BatchNorm2d reduce_bn_;
  std::vector<Conv2d> dilated_;
  std::vector<BatchNorm2d> dilated_bn_;
  Conv2d final_;
};

}  // namespace fovea
