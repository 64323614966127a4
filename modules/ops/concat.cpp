#include "modules/ops/concat.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

struct Concat {
  static constexpr std::string_view name = "concat";
  static constexpr Policy policy = Policy::pointwise;  // one type for all
  int axis;
  std::vector<std::int64_t> sizes;

  Shapes infer(const Shapes& in) const {
    std::int64_t total = 0;
    for (const Shape& s : in) {
      check(s.rank() == in[0].rank() && s.with(axis, 0) == in[0].with(axis, 0), "concat: expected shapes like ", in[0],
            " but for axis ", axis, ", got ", s);
      total += s[axis];
    }
    return {in[0].with(axis, total)};
  }
  Tensors forward(Context&, const Tensors& in) const {
    Shapes shapes;
    Layout layout = Layout::row_major;
    for (const Tensor& t : in) {
      check(t.dtype() == in[0].dtype(), "concat: expected one element type, ", name_of(in[0].dtype()), ", got ",
            name_of(t.dtype()));
      shapes.push_back(t.shape());
      if (t.layout() == Layout::channels_last) layout = Layout::channels_last;
    }
    Tensor y = Tensor::empty(infer(shapes)[0], in[0].dtype(), layout);
    std::int64_t at = 0;
    for (const Tensor& t : in) {
      y.slice(axis, at, at + t.shape()[axis]).copy_from(t);
      at += t.shape()[axis];
    }
    return {y};
  }
  Lowering lower() const { return role::Concat{axis}; }
  Tensors backward(Context& c, const Tensors& grads) const {
    Tensors out(sizes.size());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < sizes.size(); at += sizes[i++]) {
      if (!c.needs(i)) continue;
      const Tensor part = grads[0].slice(axis, at, at + sizes[i]);
      out[i] = grads[0].layout() == Layout::channels_last ? part.contiguous(Layout::channels_last) : part;
    }
    return out;
  }
};

}  // namespace

Var concat(const Vars& parts, int axis) {
  check(!parts.empty(), "concat: expected at least one value, got none");
  const int a = parts[0].shape().axis(axis, "concat");
  std::vector<std::int64_t> sizes;
  for (const Var& v : parts) {
    check(v.shape().rank() == parts[0].shape().rank(), "concat: expected rank ", parts[0].shape().rank(), ", got ", v.shape());
    sizes.push_back(v.shape()[a]);
  }
  return apply(Concat{a, std::move(sizes)}, parts);
}

}  // namespace fovea
