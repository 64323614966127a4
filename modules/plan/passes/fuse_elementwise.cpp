// Fuses elementwise nodes: where one is the only reader of another, their ops become one node, which reads and writes memory once. So
// relu(x * channel_gate * spatial_gate + identity) becomes one step. Where both operands of a sum (or of another function of two maps) are
// elementwise nodes, the second is computed between a push and a pop: x * channel_gate + x * spatial_gate is one step, too.
#include <algorithm>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {

void merge_info(Node& second, const Node& first) {
  second.op_names.insert(second.op_names.begin(), first.op_names.begin(), first.op_names.end());
  second.multiply_adds += first.multiply_adds;
  second.path = first.path;
}

bool can_fuse(const Node& first, const Node& second) {
  const auto* fused = std::get_if<FusedElementwise>(&second.work);
  const bool broadcast = fused && fused->ops.front().kind == ElementwiseOp::Kind::broadcast;
  return !broadcast && first.inputs.size() + second.inputs.size() <= kMaxOperands + 1;
}

bool swap_operands(const Graph& g, Node& n) {
  ElementwiseOp& first = std::get<FusedElementwise>(n.work).ops.front();
  if (first.kind != ElementwiseOp::Kind::binary || std::count(n.inputs.begin(), n.inputs.end(), n.inputs[first.operand]) != 1)
    return false;
  const Id other = n.inputs[first.operand];
  if (g.constant(other) || !g.value(other).planned || g.shape(other) != g.shape(n.inputs[0])) return false;
  std::swap(n.inputs[0], n.inputs[first.operand]);
  std::swap(first.binary.row, first.binary.swapped);
  return true;
}

void prepend_ops(const Node& first, Node& second, ElementwiseOps& ops) {
  ElementwiseOps all = std::get<FusedElementwise>(first.work).ops;
  std::vector<Id> inputs = first.inputs;
  const std::size_t shift = inputs.size() - 1;
  inputs.insert(inputs.end(), second.inputs.begin() + 1, second.inputs.end());
  for (ElementwiseOp op : ops) {
    if (op.kind != ElementwiseOp::Kind::pointwise) op.operand += shift, op.shift += shift;
    all.push_back(op);
  }
  ops = std::move(all);
  second.inputs = std::move(inputs);
  merge_info(second, first);
}

namespace {

// Removes input `index`, which no op reads any more.
void remove_input(Node& n, ElementwiseOps& ops, std::size_t index) {
  n.inputs.erase(n.inputs.begin() + static_cast<std::ptrdiff_t>(index));
  for (ElementwiseOp& op : ops)
    for (std::size_t* at : {&op.operand, &op.shift}) *at -= *at > index ? 1 : 0;
}

// The elementwise node that makes `id`, if it can be computed within `n`, its only reader, on the stack; else null. The stack has depth one.
Node* fits_on_stack(Graph& g, const Node& n, Id id) {
  Node* before = g.producer(id);
  const auto* fused = before ? std::get_if<FusedElementwise>(&before->work) : nullptr;
  if (!fused || g.shape(id) != g.shape(n.outputs[0]) || !g.only_for(id, n) || !can_fuse(*before, n)) return nullptr;
  const auto plain = [](const ElementwiseOp& op) {
    return op.kind != ElementwiseOp::Kind::push && op.kind != ElementwiseOp::Kind::broadcast;
  };
  return std::all_of(fused->ops.begin(), fused->ops.end(), plain) ? before : nullptr;
}

// Replaces a binary op whose operand is made by another elementwise node by the ops of that node, between a push and a pop.
bool fuse_operand(Graph& g, Node& n, ElementwiseOps& ops) {
  bool pushed = false;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    pushed = ops[i].kind == ElementwiseOp::Kind::push || (pushed && ops[i].kind != ElementwiseOp::Kind::pop);
    if (ops[i].kind != ElementwiseOp::Kind::binary || pushed) continue;
    Node* before = fits_on_stack(g, n, n.inputs[ops[i].operand]);
    if (!before) continue;
    const std::size_t shift = n.inputs.size(), read = ops[i].operand;
    ElementwiseOps between{{.kind = ElementwiseOp::Kind::push, .operand = shift}};
    for (ElementwiseOp op : std::get<FusedElementwise>(before->work).ops) {
      op.operand += shift, op.shift += shift;
      between.push_back(op);
    }
    between.push_back({.kind = ElementwiseOp::Kind::pop, .binary = ops[i].binary});
    ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(i));
    ops.insert(ops.begin() + static_cast<std::ptrdiff_t>(i), between.begin(), between.end());
    n.inputs.insert(n.inputs.end(), before->inputs.begin(), before->inputs.end());
    remove_input(n, ops, read);
    n.op_names.insert(n.op_names.begin(), before->op_names.begin(), before->op_names.end());
    n.multiply_adds += before->multiply_adds;
    before->dead = true;
    return true;
  }
  return false;
}

bool fuse(Graph& g, Node& n) {
  auto* fused = as<FusedElementwise>(&n);
  if (!fused) return false;
  for (int side = 0; side < 2; ++side) {
    if (side == 1 && !swap_operands(g, n)) return fuse_operand(g, n, fused->ops);
    Node* before = g.producer(n.inputs[0]);
    if (!as<FusedElementwise>(before) || !g.only_for(n.inputs[0], n) || !can_fuse(*before, n)) continue;
    prepend_ops(*before, n, fused->ops);
    before->dead = true;
    return true;
  }
  swap_operands(g, n);
  return fuse_operand(g, n, fused->ops);
}

}  // namespace

void fuse_elementwise(Graph& g) { until_fixpoint(g, fuse); }

}  // namespace fovea::plan
