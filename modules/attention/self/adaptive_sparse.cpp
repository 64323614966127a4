// Attention that learns how sparse each head is: alpha-entmax(Q K^T / sqrt(d) + mask) V with one alpha a head; alpha 1 is softmax,
// towards 2 more and more weights are exactly 0. Correia, Niculae, Martins 2019, arXiv:1909.00015. Takes tokens x; or x (queries) and
// a context (keys and values); or x, context and a mask that is added to the scores.
// Parameters query, key, value (Linear); with alpha: sigmoid entmax_alpha.pre_alpha (heads), alpha = 1 + sigmoid of it, the paper's;
// with alpha: direct entmax_alpha.alpha_chooser (heads), which is alpha itself.
// Taps "attention": N x heads x L x M.
#include <cmath>

#include "modules/attention/self/heads.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/entmax.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/softmax.hpp"
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
    Var scores = scale(matmul(q, permute(k, {0, 1, 3, 2})), 1 / std::sqrt(static_cast<double>(q.dim(3))));
    if (in.size() > 2) scores = scores + in[2];
    return {merge_heads(matmul(tap("attention", weights(scores)), split_heads(value_(context), o_.heads)))};
  }

 private:
  Var weights(const Var& scores) const {
    if (o_.alpha == "fixed") return entmax(scores, o_.value, -1);
    if (o_.alpha == "softmax") return softmax(scores, -1);
    const Var a = reshape(alpha_, {1, o_.heads, 1, 1});
    return entmax(scores, o_.alpha == "sigmoid" ? scale(sigmoid(a), 1, 1) : a, -1);
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
