// Strided copies of parts of the inputs, which together fill the output.
#pragma once

#include "modules/plan/strided_view.hpp"
#include "modules/plan/work.hpp"

namespace fovea::plan {

struct Copy : Work {
  struct Piece {
    std::size_t input;
    StridedCopy copy;
  };
  std::vector<Piece> pieces;

  explicit Copy(std::vector<Piece> p) : pieces(std::move(p)) {}
  static bool lower(Lowerer& l, Node& n, const role::Concat& r);
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
