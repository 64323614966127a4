// Linformer: softmax(q (E^T k)^T / sqrt(d)) F^T v, where E and F bring L keys and values down to a fixed number, so that the cost is
// linear in L. Wang et al. 2020, arXiv:2006.04768, as in lucidrains/linformer. Sequences shorter than `length` use the first rows of E
// and F. Inputs: tokens x; or x and context; or queries, keys, values. Keys are mixed along the sequence, so no mask is taken.
// Parameters proj_k, proj_v (length x k), to_q.weight, to_k.weight, to_v.weight, to_out: weight, bias; with share_kv no proj_v and to_v.
// Taps "attention": N x heads x L x k, over the k mixtures of keys; "attention_mean"; "received".
#include <cmath>
#include <optional>

#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/token_inputs.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

struct Options {
  std::int64_t heads = 0, width = 0, length = 0, mixtures = 0;
  bool one_kv_head = false, share_kv = false;
  WeightDrop drop;
};

class Linformer final : public Block {
 public:
  Linformer(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        options_(o),
        kv_heads_(o.one_kv_head ? 1 : o.heads),
        q_(s / "to_q", {.in = c, .out = o.heads * o.width, .bias = false}),
        k_(s / "to_k", {.in = c, .out = kv_heads_ * o.width, .bias = false}),
        mix_k_(mixing(s, "proj_k", o)),
        out_(s / "to_out", {.in = o.heads * o.width, .out = c}) {
    if (o.share_kv) return;
    v_.emplace(s / "to_v", Linear::Options{.in = c, .out = kv_heads_ * o.width, .bias = false});
    mix_v_ = mixing(s, "proj_v", o);
  }

 protected:
  Vars forward(const Vars& in) const override {
    const TokenInputs t = token_inputs(in);
    check(!t.mask.defined(), "linformer: keys are mixed along the sequence, so that none of them can be masked");
    check(t.keys.dim(1) <= options_.length, "linformer: made for up to ", options_.length, " tokens, got ", t.keys.dim(1),
          "; set length");
    const Var q = split_heads(q_(t.queries), options_.heads), keys = k_(t.keys), values = v_ ? (*v_)(t.values) : keys;
    const Var k = mixed(keys, mix_k_), v = mixed(values, v_ ? mix_v_ : mix_k_);
    return {out_(join_heads(attend(q, k, v, {}, {}, {}, options_.drop)))};
  }

 private:
  static Var mixing(const Scope& s, const char* name, const Options& o) {
    const double bound = 1 / std::sqrt(static_cast<double>(o.mixtures));
    return s.param(name, {o.length, o.mixtures}, init::uniform(-bound, bound));
  }

  // N x S x (h d) -> N x heads x k x d.
  Var mixed(const Var& x, const Var& matrix) const {
    const Var rows = slice(matrix, 0, 0, x.dim(1));
    const Var y = matmul(reshape(transposed(rows), {1, options_.mixtures, x.dim(1)}), x);
    const Var heads = split_heads(y, kv_heads_);
    return kv_heads_ == options_.heads ? heads : expand(heads, {x.dim(0), options_.heads, options_.mixtures, options_.width});
  }

  Options options_;
  std::int64_t kv_heads_;
  Linear q_, k_;
  Var mix_k_, mix_v_;
  Linear out_;
  std::optional<Linear> v_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(linformer, "attention over a fixed number of mixtures of the tokens", "Wang et al. 2020, arXiv:2006.04768") {
  Options o;
  o.heads = args.get("heads", 8, "attention heads");
  const int width = args.get("dim_head", 0, "width of a head; 0: channels / heads");
  check(o.heads > 0, "linformer: expected at least one head, got ", o.heads);
  check(width > 0 || channels % o.heads == 0, "linformer: ", channels, " channels do not divide into ", o.heads,
        " heads; set heads or dim_head");
  o.width = width > 0 ? width : channels / o.heads;
  o.length = args.get("length", 1024, "the longest sequence: height x width of the map", {1, 16777216});
  o.mixtures = args.get("k", 256, "mixtures that keys and values are brought down to");
  check(o.length > 0 && o.mixtures > 0, "linformer: expected length and k above 0, got ", o.length, " and ", o.mixtures);
  o.one_kv_head = args.get("one_kv_head", false, "one head of keys and values for all heads of queries");
  o.share_kv = args.get("share_kv", false, "keys serve as values, with one matrix of mixtures");
  o.drop.weights = args.get("dropout", 0.0, "of the weights, in training");
  o.drop.check_range("linformer");
  return std::make_unique<Linformer>(scope, channels, o);
}

}  // namespace fovea
