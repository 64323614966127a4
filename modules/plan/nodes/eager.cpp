#include "modules/plan/nodes/eager.hpp"

#include "modules/plan/emit.hpp"

namespace fovea::plan {
namespace {

class EagerStep final : public Step {
 public:
  EagerStep(std::shared_ptr<const Op> op, std::string path, std::vector<BufferRef> inputs, std::vector<BufferRef> outputs)
      : op_(std::move(op)), path_(std::move(path)), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  void run(Run& r) const override {
    PathScope where(path_);
    Tensors in;
    for (const BufferRef& b : inputs_) in.push_back(r.tensor(b));
    Context nothing_saved;
    Tensors out = op_->forward(nothing_saved, in);
    for (std::size_t i = 0; i < outputs_.size(); ++i) r.store(outputs_[i], std::move(out.at(i)));
  }
  std::string how() const override { return kEagerOp; }

 private:
  std::shared_ptr<const Op> op_;
  std::string path_;
  std::vector<BufferRef> inputs_, outputs_;
};

}  // namespace

std::unique_ptr<Step> Eager::emit(const Node& n, Emitter& e) const {
  return std::make_unique<EagerStep>(op, n.path, e.at(n.inputs), e.at(n.outputs));
}

}  // namespace fovea::plan
