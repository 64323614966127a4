#include "modules/plan/kernels/copy.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class CopyStep final : public Step {
 public:
  CopyStep(std::vector<Copy::Piece> pieces, std::vector<Place> inputs, Place y)
      : pieces_(std::move(pieces)), inputs_(std::move(inputs)), y_(std::move(y)) {}

  void run(Run& r) const override {
    float* y = r.write(y_);
    for (const Copy::Piece& p : pieces_) copy(p.move, r.read(inputs_[p.input]), y);
  }
  std::string how() const override { return "copy"; }

 private:
  std::vector<Copy::Piece> pieces_;
  std::vector<Place> inputs_;
  Place y_;
};

}  // namespace

std::unique_ptr<Step> copy_step(std::vector<Copy::Piece> pieces, std::vector<Place> inputs, Place y) {
  return std::make_unique<CopyStep>(std::move(pieces), std::move(inputs), std::move(y));
}

}  // namespace fovea::plan
