#include "modules/ops/row_blocks.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

struct RowBlocks {
  static constexpr std::string_view name = "row_blocks";
  static constexpr Policy policy = Policy::statistic;  // f decides
  RowFunction f;
  std::int64_t rows;
  std::size_t inputs;
  DType precision;  // what f computes in: the same in the backward pass, wherever that is run

  // f on shapes alone.
  Trace traced(const Shapes& in) const {
    return trace(in, [&](const Vars& v) {
      Vars others;
      for (std::size_t i = 1; i < v.size(); ++i) others.push_back(v[i]);
      return Vars{f(v[0], 0, others)};
    });
  }

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 4, name, ": expected rows N x h x L x d, got ", in[0]);
    const Trace graph = traced(in);
    return {graph.values[static_cast<std::size_t>(graph.outputs[0])].shape};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const NoGrad no_grad;
    const Precision same(precision);
    const Vars others(in.begin() + 1, in.end());
    Tensor y;
    for (std::int64_t first = 0; first < in[0].dim(2); first += rows) {
      const std::int64_t end = std::min(first + rows, in[0].dim(2));
      const Tensor part = f(Var(in[0].slice(2, first, end)), first, others).value();
      if (!y.defined()) y = Tensor::empty(part.shape().with(2, in[0].dim(2)), part.dtype());
      y.slice(2, first, end).copy_from(part);
    }
    c.save(in);
    return {y};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Precision same(precision);
    const Tensor& x = c.saved(0);
    Tensors out(inputs);
    Vars others;
    for (std::size_t i = 1; i < inputs; ++i) others.push_back(leaf(c, i, c.saved(i)));
    if (c.needs(0)) out[0] = Tensor::empty(x.shape(), x.dtype());
    for (std::int64_t first = 0; first < x.dim(2); first += rows) {
      const std::int64_t end = std::min(first + rows, x.dim(2));
      const Var part = leaf(c, 0, x.slice(2, first, end));
      f(part, first, others).backward(grads[0].slice(2, first, end));
      if (c.needs(0)) out[0].slice(2, first, end).copy_from(part.grad());
    }
    for (std::size_t i = 1; i < inputs; ++i)
      if (c.needs(i)) out[i] = others[i - 1].grad().to(c.saved(i).dtype());
    return out;
  }

  // Gradients of what all blocks share are summed over them: of bf16 in f32.
  static Var leaf(const Context& c, std::size_t i, const Tensor& t) {
    return {c.needs(i) && t.dtype() == DType::bf16 ? t.to(DType::f32) : t, c.needs(i)};
  }

  std::int64_t multiply_adds(const Shapes& in, const Shapes&) const { return traced(in).multiply_adds(); }
};

}  // namespace

Var row_blocks(const RowFunction& f, const Var& x, const Vars& others, std::int64_t rows) {
  Vars in{x};
  in.insert(in.end(), others.begin(), others.end());
  return fovea::apply(RowBlocks{f, rows, in.size(), Precision::current()}, in);
}

}  // namespace fovea
