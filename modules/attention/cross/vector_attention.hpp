// Attention of a vector over the rows of a matrix, as allennlp's family of that name: scores of each row, softmaxed over what a
// mask keeps.
// Inputs: vector N x D, matrix N x L x E, perhaps a boolean mask N x L (true: keep). Result N x L, also tap "attention" (N x 1 x
// 1 x L).
#pragma once

#include "modules/nn/masked_softmax.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {

class VectorAttention : public Block {
 public:
  // normalize: weights instead of the scores themselves.
  VectorAttention(const Scope& s, bool normalize) : Block(s), normalize_(normalize) {}

 protected:
  // N x 1 x D and N x L x E -> N x 1 x L.
  virtual Var scores(const Var& vector, const Var& matrix) const = 0;

 private:
  Vars forward(const Vars& in) const final {
    check(in.size() == 2 || in.size() == 3, "expected a vector, a matrix and perhaps a mask, got ", in.size(), " values");
    check(in[0].shape().rank() == 2 && in[1].shape().rank() == 3 && in[0].dim(0) == in[1].dim(0),
          "expected N x D and N x L x E, got ", in[0].shape(), " and ", in[1].shape());
    const std::int64_t n = in[0].dim(0), length = in[1].dim(1);
    const Var keep = in.size() == 3 ? in[2] : Var();
    check(!keep.defined() || keep.shape() == Shape{n, length}, "expected a mask ", Shape{n, length}, ", got ",
          keep.defined() ? keep.shape() : Shape{});
    const Var s = reshape(scores(reshape(in[0], {n, 1, in[0].dim(1)}), in[1]), {n, length});
    if (!normalize_) return {s};
    return {reshape(tap("attention", reshape(masked_softmax(s, keep), {n, 1, 1, length})), {n, length})};
  }

  bool normalize_;
};

// The width E of the matrix's rows, that of the vector unless the recipe says another. Error that names `block`.
inline int matrix_channels_option(Args& args, std::int64_t channels, const char* block) {
  const int rows = args.get("matrix_channels", static_cast<int>(channels), "width of the matrix's rows");
  check(rows > 0, block, ": expected matrix_channels >= 1, got ", rows);
  return rows;
}

inline bool normalize_option(Args& args) { return args.get("normalize", true, "weights instead of scores"); }

}  // namespace fovea
