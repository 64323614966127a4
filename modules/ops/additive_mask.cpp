#include "modules/ops/additive_mask.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

struct AdditiveMask {
  static constexpr std::string_view name = "additive_mask";
  static constexpr Policy policy = Policy::statistic;
  double when_true, when_false;

  Shapes infer(const Shapes& in) const { return {in[0]}; }
  Tensors forward(Context&, const Tensors& in) const {
    if (in[0].dtype() != DType::boolean) return {in[0]};
    const Tensor dense = in[0].contiguous(Layout::row_major);
    Tensor y = Tensor::empty(dense.shape());
    const auto yes = static_cast<float>(when_true), no = static_cast<float>(when_false);
    for (std::int64_t i = 0; i < y.size(); ++i) y.data<float>()[i] = dense.data<bool>()[i] ? yes : no;
    return {y};
  }
  Tensors backward(Context&, const Tensors& grads) const { return {grads[0]}; }  // of values: booleans want none
};

}  // namespace

Var additive_mask(const Var& mask, double when_true, double when_false) {
  return apply(AdditiveMask{when_true, when_false}, {mask});
}

}  // namespace fovea
