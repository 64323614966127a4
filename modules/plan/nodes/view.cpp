#include "modules/plan/nodes/view.hpp"

#include "modules/plan/lower.hpp"
#include "modules/plan/step.hpp"

namespace fovea::plan {

bool View::lower(Lowerer& l, Node& n, const role::Reshape& r) { return l.views.lower(n, r); }
bool View::lower(Lowerer& l, Node& n, const role::Permute& r) { return l.views.lower(n, r); }
bool View::lower(Lowerer& l, Node& n, const role::Slice& r) { return l.views.lower(n, r); }
bool View::lower(Lowerer& l, Node& n, const role::Expand& r) { return l.views.lower(n, r); }

bool View::lower(Lowerer& l, Node& n, const role::Split& r) {
  std::vector<Node> parts = l.views.lower(n, r);
  if (parts.empty()) {
    l.channels_last(n);
    return false;
  }
  n = std::move(parts.back());
  parts.pop_back();
  for (Node& part : parts) l.add(std::move(part));
  return true;
}

bool View::reads_bf16(const Graph& g, const Node& n, std::size_t) const { return g.value(n.outputs[0]).type == DType::bf16; }
bool View::writes_bf16(const Graph& g, const Node& n) const { return g.value(n.inputs[0]).type == DType::bf16; }
std::unique_ptr<Step> View::emit(const Node&, Emitter&) const { return nullptr; }

}  // namespace fovea::plan
