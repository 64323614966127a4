// Bilinear attention of a vector over the rows of a matrix: scores f(u W x_i + b), Luong et al. 2015, arXiv:1508.04025 (general).
// Parameters, as allennlp stores them: _weight_matrix (D x E), _bias (1). Inputs, result and tap: vector_attention.hpp.
#include "modules/attention/cross/vector_attention.hpp"
#include "modules/nn/activations.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"

namespace fovea {
namespace {

class BilinearAttention final : public VectorAttention {
 public:
  BilinearAttention(const Scope& s, bool normalize, std::int64_t width, std::int64_t rows, Pointwise f)
      : VectorAttention(s, normalize),
        weight_(s.param("_weight_matrix", {width, rows}, init::xavier_uniform())),
        bias_(s.param("_bias", {1}, init::zeros())),
        f_(std::move(f)) {}

 private:
  Var scores(const Var& u, const Var& x) const override {
    return f_(matmul(linear(u, permute(weight_, {1, 0})), permute(x, {0, 2, 1})) + bias_);
  }

  Var weight_, bias_;
  Pointwise f_;
};

}  // namespace

FOVEA_SEQUENCES(bilinear_attention, "a matrix scores the rows of a matrix against a vector",
                "Luong et al. 2015, arXiv:1508.04025") {
  const bool normalize = normalize_option(args);
  const int rows = matrix_channels_option(args, channels, "bilinear_attention");
  const Pointwise f = activation(args.get("activation", "none", "of the scores"), "bilinear_attention");
  return std::make_unique<BilinearAttention>(scope, normalize, channels, rows, f);
}

}  // namespace fovea
