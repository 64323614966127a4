#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class SweepStep final : public Step {
 public:
  SweepStep(Chain chain, std::vector<Place> places, Place y)
      : chain_(std::move(chain)), places_(std::move(places)), y_(std::move(y)) {}

  void run(Run& r) const override {
    const Operands operands(r, places_);
    chain_.run(r.target(y_), operands[0], operands.data());
  }
  std::string how() const override { return "one pass"; }

 private:
  Chain chain_;
  std::vector<Place> places_;
  Place y_;
};

}  // namespace

std::unique_ptr<Step> sweep_step(Chain chain, std::vector<Place> places, Place y) {
  return std::make_unique<SweepStep>(std::move(chain), std::move(places), std::move(y));
}

}  // namespace fovea::plan
