#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class SweepStep final : public Step {
 public:
  SweepStep(Chain chain, std::vector<Place> positions, Place y)
      : chain_(std::move(chain)), positions_(std::move(positions)), y_(std::move(y)) {}

  void run(Run& r) const override {
    const Operands operands(r, positions_);
    chain_.run(r.target(y_), operands[0], operands.data());
  }
  std::string how() const override { return "one pass"; }

 private:
  Chain chain_;
  std::vector<Place> positions_;
  Place y_;
};

}  // namespace

std::unique_ptr<Step> sweep_step(Chain chain, std::vector<Place> positions, Place y) {
  return std::make_unique<SweepStep>(std::move(chain), std::move(positions), std::move(y));
}

}  // namespace fovea::plan
