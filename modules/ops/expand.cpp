#include "modules/ops/expand.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/core/reduce.hpp"

namespace fovea {
namespace {

struct Expand {
  static constexpr std::string_view name = "expand";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  Shape from, to;

  Shapes infer(const Shapes& in) const {
    check(to.rank() >= in[0].rank() && broadcast(in[0], to, name) == to, "expand: expected a shape that ", in[0],
          " repeats to, got ", to);
    return {to};
  }
  Tensors forward(Context&, const Tensors& in) const { return {in[0].expand(to)}; }
  Lowering lower() const { return role::Expand{}; }
  Tensors backward(Context&, const Tensors& grads) const { return {sum_to(grads[0], from)}; }
};

}  // namespace

Var expand(const Var& x, const Shape& shape) { return apply(Expand{x.shape(), shape}, {x}); }

}  // namespace fovea
