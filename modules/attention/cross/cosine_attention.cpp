// Cosine attention of a vector over the rows of a matrix: scores cos(u, x_i), as allennlp's CosineAttention. Norms get 1e-13
// added.
// Inputs, result and tap: vector_attention.hpp.
#include "modules/attention/cross/vector_attention.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"

namespace fovea {
namespace {

Var unit(const Var& x) { return x / scale(sqrt(sum(x * x, {-1})), 1, kTinyWeight); }

class CosineAttention final : public VectorAttention {
 public:
  using VectorAttention::VectorAttention;

 private:
  Var scores(const Var& u, const Var& x) const override { return matmul(unit(u), permute(unit(x), {0, 2, 1})); }
};

}  // namespace

FOVEA_SEQUENCES(cosine_attention, "cosines of a vector with the rows of a matrix, softmaxed", "as allennlp's CosineAttention") {
  return std::make_unique<CosineAttention>(scope, normalize_option(args));
}

}  // namespace fovea
