#include "modules/plan/nodes/global_reduce.hpp"

#include "modules/plan/emit.hpp"
#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/kernels/global_reduce.hpp"
#include "modules/plan/lower.hpp"

namespace fovea::plan {
namespace {

GlobalReduceParts parts_of(const Shape& x) { return {x[0], x[2] * x[3], x[1]}; }

class GlobalReduceStep final : public Step {
 public:
  GlobalReduceStep(BufferRef x, BufferRef mean, BufferRef maximum, BufferRef workspace)
      : parts_(parts_of(x.shape)),
        x_(std::move(x)),
        mean_(std::move(mean)),
        maximum_(std::move(maximum)),
        workspace_(std::move(workspace)) {}

  void run(Run& r) const override {
    const auto at = [&](const BufferRef& b) { return b.kind == BufferRef::Kind::absent ? nullptr : r.write(b); };
    dispatch_map(x_.type, [&](auto zero) {
      using T = decltype(zero);
      global_reduce(parts_, static_cast<const T*>(r.source(x_)), at(mean_), at(maximum_), r.write(workspace_));
    });
  }
  std::string how() const override { return "global reduce"; }

 private:
  GlobalReduceParts parts_;
  BufferRef x_, mean_, maximum_, workspace_;
};

}  // namespace

bool GlobalReduce::lower(Lowerer& l, Node& n, const role::GlobalPool& r) {
  l.channels_last(n);
  if (!is_map(l.shape(n, 0)) || l.constant(n, 0)) return false;
  n.outputs = {r.maximum ? -1 : n.outputs[0], r.maximum ? n.outputs[0] : -1};
  n.work = GlobalReduce{};
  return true;
}

std::size_t GlobalReduce::workspace_bytes(const Graph& g, const Node& n, bool) const {
  return static_cast<std::size_t>(parts_of(g.shape(n.inputs[0])).workspace()) * sizeof(float);
}

std::unique_ptr<Step> GlobalReduce::emit(const Node& n, Emitter& e) const {
  return std::make_unique<GlobalReduceStep>(e.at(n.inputs[0]), e.at(n.outputs[0]), e.at(n.outputs[1]), e.workspace());
}

}  // namespace fovea::plan
