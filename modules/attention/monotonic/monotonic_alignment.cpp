// One step of monotonic alignment, Raffel et al. 2017, arXiv:1704.00784 (alignment.hpp): alpha from the probabilities of choosing
// each entry and the alignment before. Inputs: p and previous, N x S each. Result and tap "attention" (N x 1 x 1 x S): alpha.
#include "modules/attention/monotonic/alignment.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

class MonotonicAlignment final : public Block {
 public:
  MonotonicAlignment(const Scope& s, std::string mode, double clip) : Block(s), mode_(std::move(mode)), form_{.clip = clip} {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 && in[0].shape().rank() == 2, "expected probabilities and a previous alignment, N x S each");
    const Var alpha = mode_ == "recursive" ? recursive_alignment(in[0], in[1])
                      : mode_ == "hard"    ? hard_alignment(in[0], in[1])
                                           : closed_alignment(in[0], in[1], form_);
    return {reshape(tap("attention", reshape(alpha, {alpha.dim(0), 1, 1, alpha.dim(1)})), alpha.shape())};
  }

 private:
  std::string mode_;
  ClosedForm form_;
};

}  // namespace

FOVEA_SEQUENCES(monotonic_alignment, "where a reader that never goes back stops next", "Raffel et al. 2017, arXiv:1704.00784") {
  const std::string mode = args.get("mode", "recursive", "recursive (exact), parallel (closed form), hard (p of 0 and 1)");
  check(mode == "recursive" || mode == "parallel" || mode == "hard",
        "monotonic_alignment: expected mode recursive, parallel or hard, got '", mode, "'");
  const double clip = args.get("clip", 1e-10, "with mode parallel: the least divisor");
  check(clip > 0 && clip <= 1, "monotonic_alignment: expected clip in (0, 1], got ", clip);
  return std::make_unique<MonotonicAlignment>(scope, mode, clip);
}

}  // namespace fovea
