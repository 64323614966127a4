#include "modules/autograd/var.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "modules/core/accumulate.hpp"

namespace fovea {
namespace {

// What has come so far: for each node, the gradients of its outputs; for each leaf, its own. A leaf's sum is joined to what earlier
// backwards left only when it is whole, so that two backwards give exactly twice the gradient.
struct Gradients {
  std::unordered_map<TapeNode*, Tensors> nodes;
  std::unordered_map<std::shared_ptr<VarState>, Tensor> leaves;
  std::unordered_map<TapeNode*, std::unordered_set<std::shared_ptr<VarState>>> retained;  // outputs whose gradient is kept
};

// Every node that `root` depends on, latest first: a node's consumers all come before it.
std::vector<std::shared_ptr<TapeNode>> collect(const std::shared_ptr<TapeNode>& root) {
  std::vector<std::shared_ptr<TapeNode>> nodes, pending{root};
  std::unordered_set<TapeNode*> seen{root.get()};
  while (!pending.empty()) {
    auto node = std::move(pending.back());
    pending.pop_back();
    for (const auto& input : node->inputs)
      if (input && input->producer && seen.insert(input->producer.get()).second) pending.push_back(input->producer);
    nodes.push_back(std::move(node));
  }
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a->order > b->order; });
  return nodes;
}

// Adds `grad` to what is there: in place when nobody else holds that memory.
void add_gradient(Tensor& sum, Tensor grad) {
  if (!sum.defined()) sum = std::move(grad);
  else accumulate(sum, grad);
}

// What a leaf keeps is dense and in memory of its own: whoever changes it in place, as clipping does, changes nothing else.
Tensor owned(Tensor grad) { return grad.is_dense() && grad.storage().use_count() == 1 ? grad : grad.clone(); }

void give(Gradients& gradients, const std::shared_ptr<VarState>& target, Tensor grad) {
  if (target->producer) {
    Tensors& slots = gradients.nodes[target->producer.get()];
    slots.resize(target->producer->output_shapes.size());
    add_gradient(slots[target->output_index], std::move(grad));
    if (target->retains_grad) gradients.retained[target->producer.get()].insert(target);
  } else if (target->requires_grad) {
    add_gradient(gradients.leaves[target], std::move(grad));
  }
}

void run_backward(TapeNode& node, Tensors grads, Gradients& gradients) {
  PathScope where(node.path);
  check(!node.inputs.empty(), node.op->name(), ": backward ran twice over one forward; run forward again first");
  Tensors results = node.op->backward(node.context, grads);
  node.context.release();
  grads.clear();
  auto inputs = std::move(node.inputs);
  node.inputs.clear();
  for (std::size_t i = 0; i < inputs.size() && i < results.size(); ++i) {
    if (!inputs[i] || !results[i].defined()) continue;
    check(results[i].shape() == inputs[i]->shape, node.op->name(), ": gradient of input ", i, ": expected ", inputs[i]->shape,
          ", got ", results[i].shape());
    give(gradients, inputs[i], std::move(results[i]));
  }
}

}  // namespace

Var::Var(Tensor value, bool requires_grad) : state_(std::make_shared<VarState>()) {
  state_->shape = value.shape();
  state_->value = std::move(value);
  state_->requires_grad = requires_grad;
}

const Tensor& Var::value() const {
  check(defined(), "var: undefined value");
  check(state_->value.defined() || !is_parameter(),
        "this model's weights were given back (release_weights); load it once more for "
        "what needs them: training, gradients, their values");
  check(state_->value.defined(), "a value was read while tracing shapes; control flow must not depend on values here");
  return state_->value;
}

void Var::set_requires_grad(bool on) { state_->requires_grad = on; }

void Var::set_value(const Tensor& value) {
  check(value.shape() == shape(), "var: expected a value of shape ", shape(), ", got ", value.shape());
  Tensor mine = this->value();
  mine.copy_from(value);
  mine.touch();
}

Var Var::detach() const { return Var(value()); }

void Var::backward(const Tensor& seed) const {
  check(requires_grad(), "backward: nothing here wants a gradient");
  check(seed.defined() || shape().elements() == 1, "backward: a seed is needed for a value of shape ", shape());
  Tensor start = seed.defined() ? seed : Tensor::full(shape(), 1.0, value().dtype());
  check(start.shape() == shape(), "backward: expected a seed of shape ", shape(), ", got ", start.shape());
  Gradients gradients;
  if (!state_->producer) {
    add_gradient(state_->grad, start.clone());
    return;
  }
  auto nodes = collect(state_->producer);
  give(gradients, state_, std::move(start));
  for (auto& node : nodes) {
    auto it = gradients.nodes.find(node.get());
    if (it != gradients.nodes.end()) {
      Tensors grads = std::move(it->second);
      gradients.nodes.erase(it);
      for (const auto& kept : gradients.retained[node.get()]) add_gradient(kept->grad, grads[kept->output_index].clone());
      run_backward(*node, std::move(grads), gradients);
    }
    node.reset();
  }
  for (auto& [leaf, grad] : gradients.leaves) add_gradient(leaf->grad, owned(std::move(grad)));
}

}  // namespace fovea
