// Dot-product attention of a vector over the rows of a matrix: scores u . x_i / sqrt(scaling), Luong et al. 2015,
// arXiv:1508.04025 (dot), scaled as Vaswani et al. 2017, arXiv:1706.03762. Inputs, result and tap: vector_attention.hpp.
#include <cmath>

#include "modules/attention/cross/vector_attention.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"

namespace fovea {
namespace {

class DotAttention final : public VectorAttention {
 public:
  DotAttention(const Scope& s, bool normalize, double scaling) : VectorAttention(s, normalize), scaling_(scaling) {}

 private:
  Var scores(const Var& u, const Var& x) const override {
    check(u.dim(2) == x.dim(2), "expected vectors of ", x.dim(2), " channels, as the rows, got ", u.dim(2));
    const double scaling = scaling_ > 0 ? scaling_ : static_cast<double>(x.dim(2));
    return scale(matmul(u, permute(x, {0, 2, 1})), 1 / std::sqrt(scaling));
  }

  double scaling_;
};

}  // namespace

FOVEA_SEQUENCES(dot_attention, "products of a vector with the rows of a matrix, scaled and softmaxed",
                "Luong et al. 2015, arXiv:1508.04025") {
  const bool normalize = normalize_option(args);
  const double scaling = args.get("scaling", 0.0, "products are divided by its square root; 0: the width; 1: plain products");
  check(scaling >= 0, "dot_attention: expected scaling >= 0, got ", scaling);
  return std::make_unique<DotAttention>(scope, normalize, scaling);
}

}  // namespace fovea
