#include "modules/plan/nodes/compute.hpp"

#include <array>

#include "modules/plan/emit.hpp"
#include "modules/plan/lower.hpp"

namespace fovea::plan {
namespace {

class ComputeStep final : public Step {
 public:
  static constexpr std::size_t kMaxOperands = 16;  // inputs, and outputs

  ComputeStep(Compute work, std::string op, std::vector<BufferRef> inputs, std::vector<BufferRef> outputs, BufferRef workspace)
      : work_(std::move(work)),
        op_(std::move(op)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        workspace_(std::move(workspace)) {
    check(inputs_.size() <= kMaxOperands && outputs_.size() <= kMaxOperands, "plan: expected at most ", kMaxOperands,
          " inputs of a step, got ", inputs_.size());
  }

  void run(Run& r) const override {
    std::array<const float*, kMaxOperands> in{};
    std::array<float*, kMaxOperands> out{};
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (const float* x = r.read(inputs_[i])) in[i] = x + work_.offsets[i];
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      out[i] = outputs_[i].kind == BufferRef::Kind::absent ? nullptr : r.write(outputs_[i]);
    work_.bound.run(in.data(), out.data(), r.write(workspace_));
  }
  std::string how() const override { return op_; }

 private:
  Compute work_;
  std::string op_;
  std::vector<BufferRef> inputs_, outputs_;
  BufferRef workspace_;
};

}  // namespace

bool Compute::lower(Lowerer& l, Node& n, const role::Computation& r) {
  if (l.views.lower(n, r)) return true;
  role::Computation on_copies = r;
  on_copies.any_strides = false;  // else it would be bound to the memory below the copies
  return l.on_row_major(n, [&](Node& other) { return l.views.lower(other, on_copies); });
}

std::unique_ptr<Step> Compute::emit(const Node& n, Emitter& e) const {
  const auto row_major_f32 = [](const Tensor& t) { return t.to(DType::f32).contiguous(Layout::row_major); };
  std::vector<BufferRef> in;
  for (const Id id : n.inputs)
    in.push_back(row_major && id >= 0 && e.graph().constant(id) ? e.constant(id, row_major_f32, "row-major f32") : e.operand(id));
  return std::make_unique<ComputeStep>(*this, n.op_names.back(), std::move(in), e.at(n.outputs), e.workspace());
}

}  // namespace fovea::plan
