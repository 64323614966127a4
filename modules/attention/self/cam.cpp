// Channel attention of DANet: y = x + gamma softmax(max_row(X X^T) - X X^T) X with X the map as C x HW: channels unlike a channel
// weigh more. Fu et al. 2019, arXiv:1809.02983; also in MAResU-Net and MANet. Parameter gamma (1).
// Tap "attention": N x 1 x C x C.
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class Cam final : public MapBlock {
 public:
  explicit Cam(const Scope& s) : MapBlock(s), gamma_(s.param("gamma", {1}, init::zeros())) {}

 protected:
  Var forward(const Var& x) const override {
    const Var v = to_tokens(x);
    // Softmax does not see what a whole row has in common, so the row's maximum has no part in value or gradient.
    const Var weights = softmax(neg(matmul(transposed(v), v)), 2);
    const std::int64_t c = x.dim(1);
    const Var map = tap("attention", reshape(weights, {x.dim(0), 1, c, c}));
    const Var y = matmul(v, transposed(reshape(map, {x.dim(0), c, c})));
    return x + gamma_ * to_map(y, x.dim(2), x.dim(3));
  }

 private:
  Var gamma_;
};

}  // namespace

FOVEA_BLOCK(cam, "every channel attends to the channels unlike it", "Fu et al. 2019, arXiv:1809.02983") {
  return std::make_unique<Cam>(scope);
}

}  // namespace fovea
