#include "modules/plan/kernels/strided_copy.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class StridedCopyStep final : public Step {
 public:
  StridedCopyStep(std::vector<Copy::Piece> pieces, std::vector<BufferRef> inputs, BufferRef y)
      : pieces_(std::move(pieces)), inputs_(std::move(inputs)), y_(std::move(y)) {}

  void run(Run& r) const override {
    float* y = r.write(y_);
    for (const Copy::Piece& p : pieces_) strided_copy(p.copy, r.read(inputs_[p.input]), y);
  }
  std::string how() const override { return "strided copy"; }

 private:
  std::vector<Copy::Piece> pieces_;
  std::vector<BufferRef> inputs_;
  BufferRef y_;
};

}  // namespace

std::unique_ptr<Step> strided_copy_step(std::vector<Copy::Piece> pieces, std::vector<BufferRef> inputs, BufferRef y) {
  return std::make_unique<StridedCopyStep>(std::move(pieces), std::move(inputs), std::move(y));
}

}  // namespace fovea::plan
