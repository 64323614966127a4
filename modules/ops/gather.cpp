#include "modules/ops/gather.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

// visit(offset in the indexed tensor, offset in the tensor of the index's shape) for every index, in row-major order.
template <class Visit>
void for_each_index(const Tensor& index, int axis, const Shape& indexed_strides, const Shape& strides, std::int64_t size,
                    const Visit& visit) {
  const Shape& shape = index.shape();
  for (std::int64_t flat = 0, n = shape.elements(); flat < n; ++flat) {
    std::int64_t rest = flat, indexed = 0, plain = 0, at = 0;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      const std::int64_t k = rest % shape[i];
      rest /= shape[i];
      if (i != axis) indexed += k * indexed_strides[i];
      plain += k * strides[i];
      at += k * index.strides()[i];
    }
    const std::int64_t position = index.data<std::int64_t>()[at];
    check(position >= 0 && position < size, "gather: expected indices from 0 to ", size - 1, ", got ", position);
    visit(indexed + position * indexed_strides[axis], plain);
  }
}

struct Gather {
  static constexpr std::string_view name = "gather";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  int axis;
  Shape input;

  Shapes infer(const Shapes& in) const {
    check(in[1].rank() == in[0].rank(), "gather: expected an index of rank ", in[0].rank(), ", got ", in[1]);
    for (int i = 0; i < in[0].rank(); ++i)
      check(i == axis || in[1][i] <= in[0][i], "gather: expected an index of at most ", in[0], " outside axis ", axis, ", got ",
            in[1]);
    return {in[1]};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    Tensor y = Tensor::empty(in[1].shape(), in[0].dtype(), in[0].layout());
    dispatch_compute(y.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_index(in[1], axis, in[0].strides(), y.strides(), input[axis],
                     [&, from = in[0].data<T>(), to = y.data<T>()](std::int64_t i, std::int64_t o) { to[o] = from[i]; });
    });
    c.save({in[1]});
    return {y};
  }
  // One thread: several indices may name one element, and the order of the sum is part of the result.
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor& dy = grads[0];
    Tensors out(2);
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      Tensor sum = Tensor::zeros(input, dtype_of<C>::value, dy.layout());
      for_each_index(
          c.saved(0), axis, sum.strides(), dy.strides(), input[axis],
          [from = dy.data<T>(), to = sum.data<C>()](std::int64_t i, std::int64_t o) { to[i] += static_cast<C>(from[o]); });
      out[0] = sum.to(dy.dtype());
    });
    return out;
  }
};

}  // namespace

Var gather(const Var& x, int axis, const Var& index) {
  return apply(Gather{x.shape().axis(axis, "gather"), x.shape()}, {x, index});
}

}  // namespace fovea
