#include "modules/plan/nodes/channel_reduce.hpp"

#include <algorithm>

#include "modules/core/threads.hpp"
#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/kernels/global_reduce.hpp"
#include "modules/plan/nodes/elementwise_operands.hpp"

namespace fovea::plan {
namespace {

class ChannelReduceStep final : public Step {
 public:
  ChannelReduceStep(ElementwiseKernel before, std::vector<BufferRef> inputs, BufferRef y, bool mean_first)
      : before_(std::move(before)), inputs_(std::move(inputs)), y_(std::move(y)), mean_first_(mean_first) {}

  void run(Run& r) const override {
    const Operands operands(r, inputs_);
    if (before_.empty()) dispatch_map(inputs_[0].type, [&](auto zero) { reduce<decltype(zero)>(operands[0], r.write(y_)); });
    else reduce_tiles(operands, r.write(y_));
  }
  std::string how() const override { return "channel reduce"; }

 private:
  template <class T>
  void reduce(const void* x, float* y) const {
    const Shape& shape = inputs_[0].shape;
    const std::int64_t channels = shape[1];
    parallel_for(shape.elements() / channels, std::max<std::int64_t>(1, 16384 / channels),
                 [&](std::int64_t begin, std::int64_t end) {
                   channel_reduce(y + 2 * begin, static_cast<const T*>(x) + begin * channels, end - begin, channels, mean_first_);
                 });
  }
  void reduce_tiles(const Operands& operands, float* y) const {
    const std::int64_t channels = inputs_[0].shape[1];
    parallel_for(before_.tiles(), 4, [&](std::int64_t begin, std::int64_t end) {
      ElementwiseKernel::TileBuffer tile;
      for (std::int64_t i = begin; i < end; ++i) {
        const ElementwiseKernel::Tile t = before_.tile(i);
        before_.run(i, tile.data(), operands[0], operands.data());
        channel_reduce(y + 2 * (t.first / channels), tile.data(), t.size / channels, channels, mean_first_);
      }
    });
  }

  ElementwiseKernel before_;
  std::vector<BufferRef> inputs_;
  BufferRef y_;
  bool mean_first_;
};

}  // namespace

bool ChannelReduce::reads_bf16(const Graph& g, const Node& n, std::size_t input) const {
  return g.shape(n.inputs[input]) == g.shape(n.inputs[0]);
}

ElementwiseOps* ChannelReduce::prologue(const Graph& g, const Node& n) {
  return g.shape(n.inputs[0])[1] <= ElementwiseKernel::kTile ? &ops : nullptr;
}

std::unique_ptr<Step> ChannelReduce::emit(const Node& n, Emitter& e) const {
  const Shape& x = e.graph().shape(n.inputs[0]);
  return std::make_unique<ChannelReduceStep>(ElementwiseKernel(ops, x, operand_types(e.graph(), n), DType::f32, true),
                                             operands(e, n, ops, x), e.at(n.outputs[0]), mean_first);
}

}  // namespace fovea::plan
