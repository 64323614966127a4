// Additive attention of a vector over the rows of a matrix: scores v . tanh(u W + x_i U), Bahdanau et al. 2014, arXiv:1409.0473.
// Parameters, as allennlp stores them: _w_matrix (D x D), _u_matrix (E x D), _v_vector (D x 1).
// Inputs, result and tap: vector_attention.hpp.
#include "modules/attention/cross/vector_attention.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"

namespace fovea {
namespace {

class AdditiveAttention final : public VectorAttention {
 public:
  AdditiveAttention(const Scope& s, bool normalize, std::int64_t width, std::int64_t rows)
      : VectorAttention(s, normalize),
        w_(s.param("_w_matrix", {width, width}, init::xavier_uniform())),
        u_(s.param("_u_matrix", {rows, width}, init::xavier_uniform())),
        v_(s.param("_v_vector", {width, 1}, init::xavier_uniform())) {}

 private:
  Var scores(const Var& u, const Var& x) const override {
    const Var hidden = tanh(linear(u, permute(w_, {1, 0})) + linear(x, permute(u_, {1, 0})));
    return permute(linear(hidden, permute(v_, {1, 0})), {0, 2, 1});
  }

  Var w_, u_, v_;
};

}  // namespace

FOVEA_SEQUENCES(additive_attention, "a small network scores the rows of a matrix against a vector",
                "Bahdanau et al. 2014, arXiv:1409.0473") {
  const bool normalize = normalize_option(args);
  const int rows = matrix_channels_option(args, channels, "additive_attention");
  return std::make_unique<AdditiveAttention>(scope, normalize, channels, rows);
}

}  // namespace fovea
