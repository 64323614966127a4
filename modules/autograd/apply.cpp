#include "modules/autograd/apply.hpp"

#include <atomic>

#include "modules/autograd/cast.hpp"
#include "modules/autograd/modes.hpp"

namespace fovea {
namespace {

std::atomic<std::uint64_t> next_order{1};

Shapes shapes_of(const Vars& inputs) {
  Shapes shapes;
  for (const Var& v : inputs) shapes.push_back(v.defined() ? v.shape() : Shape{});
  return shapes;
}

bool is_map_or_tokens(const Var& v) { return v.defined() && !v.is_parameter() && is_floating(v.dtype()); }

// Brings activations to the type that the policy asks for. Parameters stay f32: contractions reorder them into the
// activation's type themselves, which gives f32 weight gradients without another pass.
Vars apply_policy(const Op& op, Vars inputs) {
  const DType compute = Precision::current();
  if (op.policy() == Policy::contraction && compute != DType::f64) {
    for (Var& v : inputs)
      if (is_map_or_tokens(v) && v.dtype() != DType::f64 && v.dtype() != compute) v = cast(v, compute);
  } else if (op.policy() == Policy::loss) {
    for (Var& v : inputs)
      if (is_map_or_tokens(v) && v.dtype() == DType::bf16) v = cast(v, DType::f32);
  } else if (op.policy() == Policy::pointwise) {
    bool any_bf16 = false;
    for (const Var& v : inputs) any_bf16 |= v.defined() && v.dtype() == DType::bf16;
    if (any_bf16)
      for (Var& v : inputs)
        if (v.defined() && v.dtype() == DType::f32) v = cast(v, DType::bf16);
  }
  return inputs;
}

Vars run(const std::shared_ptr<const Op>& op, const Vars& inputs) {
  std::vector<bool> needs;
  bool any = false;
  for (const Var& v : inputs) {
    needs.push_back(!NoGrad::active() && v.requires_grad() && !(modes::state().frozen && v.is_parameter()));
    any |= needs.back();
  }
  Context context(needs);
  Tensors values;
  for (const Var& v : inputs) values.push_back(v.defined() ? v.value() : Tensor());
  Tensors results = op->forward(context, values);
  values.clear();

  std::shared_ptr<TapeNode> node;
  if (any) {
    node = std::make_shared<TapeNode>();
    node->op = op;
    node->context = std::move(context);
    for (std::size_t i = 0; i < inputs.size(); ++i) node->inputs.push_back(needs[i] ? inputs[i].state() : nullptr);
    node->order = next_order++;
    node->path = PathScope::current();
  }
  Vars out;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Var v(std::move(results[i]));
    if (node && is_floating(v.dtype())) {
      v.set_requires_grad(true);
      v.state()->producer = node;
      v.state()->output_index = i;
    }
    if (node) node->output_shapes.push_back(v.shape());
    out.push_back(std::move(v));
  }
  return out;
}

}  // namespace

bool Context::recording() const {
  for (const bool n : needs_)
    if (n) return true;
  return false;
}

Vars apply_op(std::shared_ptr<const Op> op, const Vars& inputs) {
  Shapes out = op->infer(shapes_of(inputs));
  if (TraceScope* trace = modes::state().trace) return trace->record(std::move(op), inputs, out);
  return run(op, apply_policy(*op, inputs));
}

}  // namespace fovea
