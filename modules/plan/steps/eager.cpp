#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

// An op without a role: its own forward, on tensors that allocate as they do outside a plan.
class EagerStep final : public Step {
 public:
  EagerStep(std::shared_ptr<const Op> op, std::string path, std::vector<Place> inputs, std::vector<Place> outputs)
      : op_(std::move(op)), path_(std::move(path)), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  void run(Run& r) const override {
    PathScope where(path_);
    Tensors in;
    for (const Place& p : inputs_) in.push_back(r.tensor(p));
    Context nothing_saved;
    Tensors out = op_->forward(nothing_saved, in);
    for (std::size_t i = 0; i < outputs_.size(); ++i) r.hold(outputs_[i], std::move(out.at(i)));
  }
  std::string how() const override { return "op"; }

 private:
  std::shared_ptr<const Op> op_;
  std::string path_;
  std::vector<Place> inputs_, outputs_;
};

}  // namespace

std::unique_ptr<Step> eager_step(std::shared_ptr<const Op> op, std::string path, std::vector<Place> inputs,
                                 std::vector<Place> outputs) {
  return std::make_unique<EagerStep>(std::move(op), std::move(path), std::move(inputs), std::move(outputs));
}

}  // namespace fovea::plan
