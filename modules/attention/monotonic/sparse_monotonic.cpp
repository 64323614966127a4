// Adaptive sparse and monotonic attention for speech, Zhao et al. 2022, arXiv:2209.15176: frames x look at each other by sparse
// self-attention whose heads learn how sparse they are, h = x + A(x) (adaptive_sparse), and outputs y read h by monotonic
// attention with heads (mocha), of which head drop leaves out some in training, so that none becomes idle.
// Inputs: frames N x S x D, outputs N x L x D, perhaps booleans N x S (true: a frame). Results: context N x L x D, h N x S x D,
// alpha N x mono_heads x L x S. Parameters self_attn, mono: those blocks'. Taps: theirs.
#include "modules/nn/constant.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr double kHidden = -1e4;

class SparseMonotonic final : public Block {
 public:
  SparseMonotonic(const Scope& s, std::unique_ptr<Block> look, std::unique_ptr<Block> read)
      : Block(s), look_(std::move(look)), read_(std::move(read)) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected frames, outputs and perhaps a mask of frames, got ", in.size(), " values");
    check(in[0].shape().rank() == 3 && in[1].shape().rank() == 3 && in[0].dim(0) == in[1].dim(0),
          "expected sequences N x L x D, got ", in[0].shape(), " and ", in[1].shape());
    Vars seen{in[0], {}}, read{{}, in[1], {}};
    if (in.size() == 3) {
      check(in[2].shape() == Shape{in[0].dim(0), in[0].dim(1)}, "expected a mask N x S, got ", in[2].shape());
      const auto number = [&](double v) { return constant_like(Tensor::full({1}, v), in[0]); };
      seen.push_back(where(reshape(in[2], {in[0].dim(0), 1, 1, in[0].dim(1)}), number(0), number(kHidden)));
      read.push_back(in[2]);
    }
    const Var h = in[0] + (*look_)(seen)[0];
    read[0] = h;
    const Vars y = (*read_)(read);
    return {y[0], h, y[1]};
  }

 private:
  std::unique_ptr<Block> look_, read_;
};

}  // namespace

FOVEA_SEQUENCES(sparse_monotonic, "speech: frames look sparsely at each other, outputs read on",
                "Zhao et al. 2022, arXiv:2209.15176") {
  std::map<std::string, std::string> look, read;
  look["heads"] = std::to_string(args.get("self_heads", 4, "heads of the self-attention"));
  look["alpha"] =
      args.get("alpha", "sigmoid", "how sparse a head is, as adaptive_sparse has it: sigmoid, direct, fixed, softmax");
  read["heads_mono"] = std::to_string(args.get("mono_heads", 4, "heads that read on"));
  read["heads_chunk"] = std::to_string(args.get("chunk_heads", 1, "heads over each chunk"));
  read["chunk_size"] = std::to_string(args.get("chunk_size", 4, "entries that an output sees; -1: all so far"));
  read["mode"] = args.get("mode", "parallel", "parallel (expectations, to train with) or hard (one place each, as in use)");
  read["dropout_head"] = std::to_string(args.get("dropout_head", 0.0, "share of heads left out in training"));
  read["noise_std"] = std::to_string(args.get("noise_std", 1.0, "of the noise on monotonic energies, in training"));
  const Registry& blocks = Registry::global();
  return std::make_unique<SparseMonotonic>(
      scope, blocks.make("adaptive_sparse", scope / "self_attn", channels, Args(args.where(), look)),
      blocks.make("mocha", scope / "mono", channels, Args(args.where(), read)));
}

}  // namespace fovea
