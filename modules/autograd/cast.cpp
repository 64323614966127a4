#include "modules/autograd/cast.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

struct Cast {
  static constexpr std::string_view name = "cast";
  static constexpr Policy policy = Policy::statistic;  // not `pointwise`, whose inputs are cast before it runs
  DType from, to;
  Shapes infer(const Shapes& in) const { return in; }
  Tensors forward(Context&, const Tensors& in) const { return {in[0].to(to)}; }
  Tensors backward(Context&, const Tensors& grads) const { return {grads[0].to(from)}; }
};

}  // namespace

Var cast(const Var& x, DType dtype) { return x.dtype() == dtype ? x : apply(Cast{x.dtype(), dtype}, {x}); }

}  // namespace fovea
