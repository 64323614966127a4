// Cosine attention of a vector over the rows of a matrix: weights = softmax of cos(u, x_i), masked as allennlp does: forbidden
// scores are 0 inside the softmax and the allowed probabilities are divided by their sum + 1e-13. Norms get 1e-13 added.
// Inputs: vector N x D, matrix N x L x D, perhaps a boolean mask N x L (true: keep). Result N x L, also tap "attention" (N x 1 x 1 x L).
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr double kTiny = 1e-13;

Var unit(const Var& x) { return x / scale(sqrt(sum(x * x, {-1})), 1, kTiny); }

class CosineAttention final : public Block {
 public:
  CosineAttention(const Scope& s, bool normalize) : Block(s), normalize_(normalize) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected a vector, a matrix and perhaps a mask, got ", in.size(), " values");
    check(in[0].shape().rank() == 2 && in[1].shape().rank() == 3, "expected N x D and N x L x D, got ", in[0].shape(), " and ",
          in[1].shape());
    const std::int64_t n = in[0].dim(0), length = in[1].dim(1);
    const Var u = unit(reshape(in[0], {n, 1, in[0].dim(1)}));
    Var s = reshape(matmul(unit(in[1]), permute(u, {0, 2, 1})), {n, length});
    if (!normalize_) return {s};
    if (in.size() == 3) {
      s = masked_softmax(s, in[2]);
    } else {
      s = softmax(s, 1);
    }
    return {reshape(tap("attention", reshape(s, {n, 1, 1, length})), {n, length})};
  }

 private:
  static Var masked_softmax(const Var& s, const Var& keep) {
    const Var nothing = scale(s, 0);
    const Var p = where(keep, softmax(where(keep, s, nothing), 1), nothing);
    return p / scale(sum(p, {1}), 1, kTiny);
  }

  bool normalize_;
};

}  // namespace

FOVEA_PART(cosine_attention, "cosines of a vector with the rows of a matrix, softmaxed", "as allennlp's CosineAttention") {
  return std::make_unique<CosineAttention>(scope, args.get("normalize", true, "weights instead of cosines"));
}

}  // namespace fovea
