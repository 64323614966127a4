// Attention of a vector over the rows of a matrix: scores f(w . [u; x_i; ...] + b) over a combination of both, as allennlp's
// LinearAttention.
// Parameters _weight_vector, _bias (combination.hpp). Inputs, result and tap: vector_attention.hpp.
#include "modules/attention/cross/combination.hpp"
#include "modules/attention/cross/vector_attention.hpp"
#include "modules/nn/activations.hpp"

namespace fovea {
namespace {

class CombinationAttention final : public VectorAttention {
 public:
  CombinationAttention(const Scope& s, bool normalize, Combination combination, Pointwise f)
      : VectorAttention(s, normalize), combination_(std::move(combination)), f_(std::move(f)) {}

 private:
  Var scores(const Var& u, const Var& x) const override { return f_(combination_(u, x)); }

  Combination combination_;
  Pointwise f_;
};

}  // namespace

FOVEA_SEQUENCES(combination_attention, "weights over both and their product score the rows of a matrix against a vector",
                "as allennlp's LinearAttention") {
  const bool normalize = normalize_option(args);
  const int rows = matrix_channels_option(args, channels, "combination_attention");
  const std::string text = args.get("combination", "x,y", "pieces x, y, x*y, x+y, x-y, x/y");
  const Pointwise f = activation(args.get("activation", "none", "of the scores"), "combination_attention");
  return std::make_unique<CombinationAttention>(scope, normalize, Combination(scope, text, channels, rows), f);
}

}  // namespace fovea
