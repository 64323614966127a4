// Scores of pairs by one vector of weights over a combination of both: w . [x; y; x*y] + b and the like, as allennlp's
// LinearMatrixAttention. Nothing of pairs x width is ever there. Parameters _weight_vector, _bias (1).
#pragma once

#include <string>
#include <vector>

#include "modules/nn/scope.hpp"

namespace fovea {

class Combination {
 public:
  // text: pieces x, y, x*y, x+y, x-y, x/y, separated by commas. Error for others, and for two widths that differ in one piece.
  Combination(const Scope& scope, const std::string& text, std::int64_t x_width, std::int64_t y_width);
  // N x L x X and N x S x Y -> N x L x S.
  Var operator()(const Var& x, const Var& y) const;

 private:
  std::vector<std::string> pieces_;
  std::vector<std::int64_t> widths_;
  Var weight_, bias_;
};

}  // namespace fovea
