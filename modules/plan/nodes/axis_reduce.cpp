#include "modules/plan/nodes/axis_reduce.hpp"

#include <array>

#include "modules/plan/emit.hpp"
#include "modules/plan/kernels/axis_reduce.hpp"
#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/lower.hpp"

namespace fovea::plan {
namespace {

class AxisReduceStep final : public Step {
 public:
  AxisReduceStep(AxisReduceKernel kernel, BufferRef x, std::vector<BufferRef> outputs, BufferRef workspace)
      : kernel_(std::move(kernel)), x_(std::move(x)), outputs_(std::move(outputs)), workspace_(std::move(workspace)) {}

  void run(Run& r) const override {
    std::array<float*, AxisReduceKernel::kMaxAxes> out{};  // on the stack: a run allocates nothing
    for (std::size_t i = 0; i < outputs_.size(); ++i) out[i] = r.write(outputs_[i]);
    dispatch_map(x_.type, [&](auto zero) {
      kernel_.run(static_cast<const decltype(zero)*>(r.source(x_)), out.data(), r.write(workspace_));
    });
  }
  std::string how() const override { return "axis reduce"; }

 private:
  AxisReduceKernel kernel_;
  BufferRef x_;
  std::vector<BufferRef> outputs_;
  BufferRef workspace_;
};

// Of channels alone, which other elementwise work can be put in front of.
bool lower_channels(Lowerer& l, Node& n, const role::ReducedAxis& r) {
  l.channels_last(n);
  if (!is_map(l.shape(n, 0)) || l.constant(n, 0)) return false;
  n.work = ChannelReduce(r.mean_first);
  return true;
}

}  // namespace

bool AxisReduce::lower(Lowerer& l, Node& n, const role::AxisReduce& r) {
  if (r.reduced.axis == 1) return lower_channels(l, n, r.reduced);
  const bool map = is_map(l.shape(n, 0)) && l.planned(n, 0) && !l.graph.value(n.inputs[0]).row_major;
  if (!map || l.graph.shape(n.outputs[0]).rank() != 4) return r.otherwise.bind && l.views.lower(n, r.otherwise);
  n.work = AxisReduce({r.reduced});
  return true;
}

std::size_t AxisReduce::workspace_bytes(const Graph& g, const Node& n, bool) const {
  return static_cast<std::size_t>(AxisReduceKernel(axes, g.shape(n.inputs[0])).workspace()) * sizeof(float);
}

std::unique_ptr<Step> AxisReduce::emit(const Node& n, Emitter& e) const {
  return std::make_unique<AxisReduceStep>(AxisReduceKernel(axes, e.graph().shape(n.inputs[0])), e.at(n.inputs[0]),
                                          e.at(n.outputs), e.workspace());
}

}  // namespace fovea::plan
