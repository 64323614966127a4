#include "modules/core/threads.hpp"
#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/kernels/global_reduce.hpp"
#include "modules/plan/steps/steps.hpp"

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
    const auto at = [&](const BufferRef& p) { return p.kind == BufferRef::Kind::absent ? nullptr : r.write(p); };
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

class ChannelReduceStep final : public Step {
 public:
  ChannelReduceStep(ElementwiseKernel before, std::vector<BufferRef> inputs, BufferRef y, bool mean_first)
      : before_(std::move(before)), inputs_(std::move(inputs)), y_(std::move(y)), mean_first_(mean_first) {}

  void run(Run& r) const override {
    const Shape& x = inputs_[0].shape;
    const std::int64_t channels = x[1];
    const Operands operands(r, inputs_);
    float* y = r.write(y_);
    if (before_.empty()) {
      return dispatch_map(inputs_[0].type, [&](auto zero) {
        const auto* from = static_cast<const decltype(zero)*>(operands[0]);
        parallel_for(x.elements() / channels, std::max<std::int64_t>(1, 16384 / channels),
                     [&](std::int64_t begin, std::int64_t end) {
                       channel_reduce(y + 2 * begin, from + begin * channels, end - begin, channels, mean_first_);
                     });
      });
    }
    parallel_for(before_.tiles(), 4, [&](std::int64_t begin, std::int64_t end) {
      ElementwiseKernel::TileBuffer tile;
      for (std::int64_t i = begin; i < end; ++i) {
        const ElementwiseKernel::Tile t = before_.tile(i);
        before_.run(i, tile.data(), operands[0], operands.data());
        channel_reduce(y + 2 * (t.first / channels), tile.data(), t.size / channels, channels, mean_first_);
      }
    });
  }
  std::string how() const override { return "channel reduce"; }

 private:
  ElementwiseKernel before_;
  std::vector<BufferRef> inputs_;
  BufferRef y_;
  bool mean_first_;
};

class AxisReduceStep final : public Step {
 public:
  AxisReduceStep(AxisReduceKernel kernel, BufferRef x, std::vector<BufferRef> outputs, BufferRef workspace)
      : kernel_(std::move(kernel)), x_(std::move(x)), outputs_(std::move(outputs)), workspace_(std::move(workspace)) {}

  void run(Run& r) const override {
    std::array<float*, AxisReduceKernel::kMaxAxes> out{};  // on the stack: nothing is allocated while a plan runs
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

}  // namespace

std::int64_t global_reduce_workspace(const Shape& x) { return parts_of(x).workspace(); }

std::unique_ptr<Step> global_reduce_step(BufferRef x, BufferRef mean, BufferRef maximum, BufferRef workspace) {
  return std::make_unique<GlobalReduceStep>(std::move(x), std::move(mean), std::move(maximum), std::move(workspace));
}

std::unique_ptr<Step> channel_reduce_step(ElementwiseKernel before, std::vector<BufferRef> inputs, BufferRef y, bool mean_first) {
  return std::make_unique<ChannelReduceStep>(std::move(before), std::move(inputs), std::move(y), mean_first);
}

std::unique_ptr<Step> axis_reduce_step(AxisReduceKernel kernel, BufferRef x, std::vector<BufferRef> outputs,
                                       BufferRef workspace) {
  return std::make_unique<AxisReduceStep>(std::move(kernel), std::move(x), std::move(outputs), std::move(workspace));
}

}  // namespace fovea::plan
