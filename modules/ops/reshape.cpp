#include "modules/ops/reshape.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

struct Reshape {
  static constexpr std::string_view name = "reshape";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  Shape from, to;

  Shapes infer(const Shapes& in) const {
    std::int64_t known = 1;
    int unknown = -1;
    for (int i = 0; i < to.rank(); ++i) {
      if (to[i] >= 0) known *= to[i];
      check(to[i] >= -1 && (to[i] >= 0 || unknown < 0), "reshape: expected sizes and at most one -1, got ", to);
      if (to[i] < 0) unknown = i;
    }
    const std::int64_t have = in[0].elements();
    const bool fits = unknown < 0 ? known == have : known > 0 && have % known == 0;
    check(fits, "reshape: expected a shape of ", have, " elements for ", in[0], ", got ", to);
    return {unknown < 0 ? to : to.with(unknown, have / known)};
  }
  Tensors forward(Context&, const Tensors& in) const { return {in[0].reshape(infer({in[0].shape()})[0])}; }
  Lowering lower() const { return role::Reshape{}; }
  Tensors backward(Context&, const Tensors& grads) const { return {grads[0].reshape(from)}; }
};

}  // namespace

Var reshape(const Var& x, const Shape& shape) { return apply(Reshape{x.shape(), shape}, {x}); }

}  // namespace fovea
