// Scaled dot-product attention without parameters: softmax(scale q k^T + mask) v. Vaswani et al. 2017, arXiv:1706.03762.
// Inputs q, k, v, of N x L x E, N x h x L x E or more leading axes, and an optional mask that repeats to the scores: booleans
// (true: may attend) or values that are added. As PyTorch's scaled_dot_product_attention.
// Taps "attention": N x h x Lq x Lk; "attention_mean"; "received".
#include "modules/attention/self/attend.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

// Leading axes as N x h: all but the last two and one before them.
Shape four_axes(const Shape& s) {
  const int r = s.rank();
  check(r >= 2, "scaled_dot_product: expected at least L x E, got ", s);
  std::int64_t batch = 1;
  for (int i = 0; i < r - 3; ++i) batch *= s[i];
  if (r == 3) return {s[0], 1, s[1], s[2]};
  return {batch, r > 3 ? s[r - 3] : 1, s[r - 2], s[r - 1]};
}

class ScaledDotProduct final : public Block {
 public:
  ScaledDotProduct(const Scope& s, const AttentionOptions& o, const WeightDrop& drop) : Block(s), options_(o), drop_(drop) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 3 || in.size() == 4, "expected q, k, v and perhaps a mask, got ", in.size(), " values");
    const Shape shape = in[0].shape();
    Vars v;
    for (int i = 0; i < 3; ++i)
      v.push_back(reshape(in[static_cast<std::size_t>(i)], four_axes(in[static_cast<std::size_t>(i)].shape())));
    Var mask = in.size() == 4 ? in[3] : Var();
    if (mask.defined() && mask.shape().rank() > 2) mask = reshape(mask, four_axes(mask.shape()));
    const Var y = attend(v[0], v[1], v[2], mask, {}, options_, drop_);
    return {reshape(y, shape.with(shape.rank() - 1, in[2].dim(-1)))};
  }

 private:
  AttentionOptions options_;
  WeightDrop drop_;
};

}  // namespace

FOVEA_PART(scaled_dot_product, "attention without parameters: inputs q, k, v and perhaps a mask",
           "Vaswani et al. 2017, arXiv:1706.03762") {
  AttentionOptions o;
  o.scale = args.get("scale", 0.0, "factor of the scores; 0: 1 / sqrt(width)");
  o.causal = args.get("causal", false, "row i sees the columns up to i");
  o.masked = args.get("masked", -std::numeric_limits<double>::infinity(),
                      "what a forbidden score becomes; a row of which all is forbidden is NaN with -inf, even with -1e9");
  WeightDrop drop;
  drop.weights = args.get("dropout", 0.0, "dropout of the weights in training");
  drop.heads = args.get("head_drop", 0.0, "share of heads left out in training");
  drop.check_range("scaled_dot_product");
  return std::make_unique<ScaledDotProduct>(scope, o, drop);
}

}  // namespace fovea
