// Self-attention in which a query sees a pattern of keys alone: softmax(Q K^T / sqrt(d), over the pattern) V, per head. Patterns and
// how heads share them: sparse_pattern.hpp. Child et al. 2019, arXiv:1904.10509. Takes tokens x, or queries, keys and values of one
// length; after them optionally a mask that is added to the scores.
// Parameters q_proj, k_proj, v_proj, out_proj (Linear), none with projections: false.
// Taps "mask": 1 x 1 (or heads) x L x L, 1 where a query looks; "attention": N x heads x L x L; "attention_mean"; "received".
#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/heads.hpp"
#include "modules/attention/self/sparse_pattern.hpp"
#include "modules/nn/registry.hpp"

namespace fovea {
namespace {

class SparseAttention final : public Block {
 public:
  struct Options {
    std::int64_t heads;
    std::shared_ptr<const SparsePattern> pattern;
    bool projections, bias;
  };
  SparseAttention(const Scope& s, std::int64_t c, Options o) : Block(s), o_(std::move(o)) {
    if (!o_.projections) return;
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
      layers_.emplace_back(s / name, Linear::Options{.in = c, .out = c, .bias = o_.bias});
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty() && in.size() <= 4, "expected tokens, or queries, keys and values, and perhaps a mask; got ", in.size(),
          " values");
    const bool self = in.size() < 3;
    const Var q = part(0, in[0]), k = part(1, in[self ? 0 : 1]), v = part(2, in[self ? 0 : 2]);
    check(q.dim(2) == k.dim(2), "expected queries and keys of one length, got ", q.dim(2), " and ", k.dim(2));
    if (wants_tap("mask")) tap("mask", Var(o_.pattern->picture(o_.heads, q.dim(2))));
    const Var mask = in.size() % 2 == 0 ? in.back() : Var();
    AttentionOptions options;
    options.pattern = o_.pattern;
    if (mask.defined()) options.masked = kNever;
    const Var y = merge_heads(attend(q, k, v, mask, {}, options));
    return {o_.projections ? layers_[3](y) : y};
  }

 private:
  // Every query sees itself, so that without a mask its row stays a distribution though all else is -inf. With one it may see
  // nothing: a finite number, as the original has, keeps such a row finite.
  static constexpr double kNever = -1e9;

  Var part(std::size_t i, const Var& x) const {
    check(x.shape().rank() == 3, "expected tokens N x L x C, got ", x.shape());
    return split_heads(o_.projections ? layers_[i](x) : x, o_.heads);
  }

  Options o_;
  std::vector<Linear> layers_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(sparse_attention, "self-attention over a sparse pattern of keys", "Child et al. 2019, arXiv:1904.10509") {
  const int heads = args.get("heads", 4, "heads; they divide the channels");
  SparsePattern p;
  p.kinds =
      args.list("pattern", std::vector<std::string>{"fixed"}, "all, local, strided or fixed; a list is dealt out to the heads");
  p.context = args.get("context", 32, "local: keys on each side, the query's own among them");
  p.stride = args.get("stride", 32, "strided: the distance of keys; fixed: the window");
  p.expressivity = args.get("expressivity", 8, "fixed: columns at the end of each window that every query sees");
  p.bidirectional = args.get("bidirectional", true, "whether a query sees what comes after it");
  const bool projections = args.get("projections", true, "whether queries, keys, values and the result go through a Linear");
  const bool bias = args.get("bias", true, "whether the Linears have a bias");
  check(heads > 0 && channels % heads == 0, "sparse_attention: expected heads that divide ", channels, " channels, got ", heads);
  p.check_options();
  return std::make_unique<SparseAttention>(
      scope, channels, SparseAttention::Options{heads, std::make_shared<SparsePattern>(p), projections, bias});
}

}  // namespace fovea
