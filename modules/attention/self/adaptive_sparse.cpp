// Attention that learns how sparse each head is: alpha-entmax(Q K^T / sqrt(d) + mask) V with one alpha a head; alpha 1 is softmax,
// towards 2 more and more weights are exactly 0. Correia, Niculae, Martins 2019, arXiv:1909.00015. Takes tokens x; or x (queries) and
// a context (keys and values); or x, context and a mask that is added to the scores.
// Parameters query, key, value (Linear); with alpha: sigmoid entmax_alpha.pre_alpha (heads), alpha = 1 + sigmoid of it, the paper's;
// with alpha: direct entmax_alpha.alpha_chooser (heads), which is alpha itself.
// Tap "attention": N x heads x L x M; unless it is asked for, only some rows of it are
// held at a time. With alpha: softmax also "attention_mean" and "received".
#include <cmath>

#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/heads.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/entmax.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/row_blocks.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class AdaptiveSparse final : public Block {
 public:
  struct Options {
    std::int64_t heads, context, width;
    std::string alpha;
    double value;
    bool bias;
  };
  AdaptiveSparse(const Scope& s, std::int64_t c, Options o)
      : Block(s),
        query_(s / "query", {.in = c, .out = o.width, .bias = o.bias}),
        key_(s / "key", {.in = o.context, .out = o.width, .bias = o.bias}),
        value_(s / "value", {.in = o.context, .out = o.width, .bias = o.bias}),
        o_(std::move(o)) {
    if (o_.alpha == "sigmoid") alpha_ = (s / "entmax_alpha").param("pre_alpha", {o_.heads}, init::normal(0, 1));
    if (o_.alpha == "direct") alpha_ = (s / "entmax_alpha").param("alpha_chooser", {o_.heads}, init::uniform(1.2, 1.8));
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty() && in.size() <= 3, "expected tokens, and perhaps a context and a mask; got ", in.size(), " values");
    const Var& context = in.size() > 1 && in[1].defined() ? in[1] : in[0];
    for (const Var& v : {in[0], context}) check(v.shape().rank() == 3, "expected tokens N x L x C, got ", v.shape());
    const Var q = split_heads(query_(in[0]), o_.heads), k = split_heads(key_(context), o_.heads);
    const Var v = split_heads(value_(context), o_.heads), mask = in.size() > 2 ? in[2] : Var();
    if (o_.alpha == "softmax") return {merge_heads(attend(q, k, v, mask))};
    const std::int64_t fitting = kScores / std::max<std::int64_t>(1, q.dim(0) * o_.heads * k.dim(2));
    if (fitting >= q.dim(2) || wants_tap("attention"))
      return {merge_heads(matmul(tap("attention", weights(q, k, mask, alpha(), o_.value)), v))};
    return {merge_heads(by_blocks(q, k, v, mask, std::max<std::int64_t>(1, fitting)))};
  }

 private:
  // More scores than this, 16 MB of f32, are never held: then rows are done in blocks.
  static constexpr std::int64_t kScores = 4 << 20;

  // One number a head.
  Var alpha() const {
    if (!alpha_.defined()) return {};
    const Var a = reshape(alpha_, {1, o_.heads, 1, 1});
    return o_.alpha == "sigmoid" ? scale(sigmoid(a), 1, 1) : a;
  }

  // `fixed` where no alpha is learnt.
  static Var weights(const Var& q, const Var& k, const Var& mask, const Var& alpha, double fixed) {
    Var scores = scale(matmul(q, permute(k, {0, 1, 3, 2})), 1 / std::sqrt(static_cast<double>(q.dim(3))));
    if (mask.defined()) scores = scores + mask;
    return alpha.defined() ? entmax(scores, alpha, -1) : entmax(scores, fixed, -1);
  }

  Var by_blocks(const Var& q, const Var& k, const Var& v, const Var& mask, std::int64_t rows) const {
    const Var a = alpha();
    const bool masked = mask.defined(), each_row = masked && mask.shape().rank() > 1 && mask.dim(-2) > 1, learnt = a.defined();
    const auto block = [masked, each_row, learnt, fixed = o_.value](const Var& part, std::int64_t first, const Vars& others) {
      Var own = masked ? others[2] : Var();
      if (each_row) own = slice(own, own.shape().rank() - 2, first, first + part.dim(2));
      return matmul(weights(part, others[0], own, learnt ? others.back() : Var(), fixed), others[1]);
    };
    Vars others{k, v};
    if (masked) others.push_back(mask);
    if (learnt) others.push_back(a);
    return row_blocks(block, q, others, rows);
  }

  Linear query_, key_, value_;
  Options o_;
  Var alpha_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(adaptive_sparse, "attention whose heads learn how sparse they are", "Correia et al. 2019, arXiv:1909.00015") {
  AdaptiveSparse::Options o;
  o.heads = args.get("heads", 4, "heads; they divide the width");
  o.context = args.get("context_channels", static_cast<int>(channels), "channels of the context");
  o.width = args.get("width", static_cast<int>(channels), "channels of queries, keys, values and the result");
  o.alpha =
      args.get("alpha", "sigmoid", "sigmoid: 1 + sigmoid(a) a head; direct: a itself; fixed: alpha_value; softmax: alpha 1");
  o.value = args.get("alpha_value", 1.5, "alpha where it is fixed");
  o.bias = args.get("bias", true, "whether queries, keys and values have a bias");
  check(o.heads > 0 && o.width % o.heads == 0, "adaptive_sparse: expected heads that divide the width ", o.width, ", got ",
        o.heads);
  check(o.context > 0, "adaptive_sparse: expected context_channels >= 1, got ", o.context);
  check(o.alpha == "sigmoid" || o.alpha == "direct" || o.alpha == "fixed" || o.alpha == "softmax",
        "adaptive_sparse: expected alpha sigmoid, direct, fixed or softmax, got '", o.alpha, "'");
  return std::make_unique<AdaptiveSparse>(scope, channels, o);
}

}  // namespace fovea
