// Tri-attention, Yu et al. 2022, arXiv:2211.02899: the scores of a query q depend on pairs of a key k and a context c, and one
// softmax goes over all pairs. Per head of width d, for pairs in the order that the authors' code has:
//   dot: sum q k c;  scaled: the same / sqrt(d);  trilinear: the same after a d x d layer each (gene_query, gene_key,
//   gene_context); additive: M tanh(w . (q + k + c) + b) with M over the pairs of fixed lengths (add_dense, add_dense_vt).
// The value of a pair is v * c, with trilinear after gene_value and, on the context that gene_context made, gene_context_value; v
// + c with additive.
// Inputs: queries N x L x D, keys N x S x D, context N x R x D. Result N x L x D: heads side by side. Parameters query, key,
// value, context and those above: weight, bias. Tap "attention": N x h x L x pairs; pairs are context-major, of additive
// key-major.
#include <cmath>
#include <optional>

#include "modules/attention/self/tokens.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

enum class Form : std::uint8_t { dot, scaled, additive, trilinear };

struct Options {
  Form form;
  std::int64_t heads, keys, context;
  double dropout;
};

class TriAttention final : public Block {
 public:
  TriAttention(const Scope& s, std::int64_t width, const Options& o)
      : Block(s),
        o_(o),
        query_(s / "query", {.in = width, .out = width}),
        key_(s / "key", {.in = width, .out = width}),
        value_(s / "value", {.in = width, .out = width}),
        context_(s / "context", {.in = width, .out = width}),
        dropout_(o.dropout) {
    const std::int64_t d = width / o.heads, pairs = o.keys * o.context;
    if (o.form == Form::trilinear)
      for (const char* name : {"gene_query", "gene_key", "gene_context", "gene_value", "gene_context_value"})
        more_.emplace_back(s / name, Linear::Options{.in = d, .out = d});
    if (o.form != Form::additive) return;
    more_.emplace_back(s / "add_dense", Linear::Options{.in = d, .out = 1});
    more_.emplace_back(s / "add_dense_vt", Linear::Options{.in = pairs, .out = pairs});
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 3, "expected queries, keys and a context, got ", in.size(), " values");
    for (const Var& v : in)
      check(v.shape().rank() == 3 && v.dim(0) == in[0].dim(0), "expected tokens N x L x D with N = ", in[0].dim(0), ", got ",
            v.shape());
    Var q = heads(query_(in[0])), k = heads(key_(in[1])), v = heads(value_(in[1])), c = heads(context_(in[2]));
    if (o_.form == Form::additive) return {attended(additive(q, k, c), pairs_of(v, c, true))};
    Var c_value = c;
    if (o_.form == Form::trilinear) {
      q = more_[0](q), k = more_[1](k), c = more_[2](c), v = more_[3](v);
      c_value = more_[4](c);
    }
    Var scores = matmul(q, transposed(pairs_of(k, c, false)));
    if (o_.form == Form::scaled) scores = scale(scores, 1 / std::sqrt(static_cast<double>(q.dim(3))));
    return {attended(scores, pairs_of(v, c_value, false))};
  }

 private:
  Var heads(const Var& x) const { return split_heads(x, o_.heads); }

  // N x h x S x d and N x h x R x d -> N x h x pairs x d: sums, key-major, or products, context-major.
  static Var pairs_of(const Var& k, const Var& c, bool sums) {
    const std::int64_t n = k.dim(0), h = k.dim(1), s = k.dim(2), r = c.dim(2), d = k.dim(3);
    if (sums) return reshape(reshape(k, {n, h, s, 1, d}) + reshape(c, {n, h, 1, r, d}), {n, h, s * r, d});
    return reshape(reshape(k, {n, h, 1, s, d}) * reshape(c, {n, h, r, 1, d}), {n, h, r * s, d});
  }

  // w . (q + k + c) is a sum of three numbers: nothing of queries x pairs x width is there.
  Var additive(const Var& q, const Var& k, const Var& c) const {
    const std::int64_t n = q.dim(0), h = q.dim(1), l = q.dim(2), s = k.dim(2), r = c.dim(2);
    check(s == o_.keys && r == o_.context, "expected ", o_.keys, " keys and a context of ", o_.context,
          ", as key_len and context_len say, got ", s, " and ", r);
    const auto score = [&](const Var& x) { return linear(x, more_[0].weight); };
    const Var pairs = reshape(reshape(score(k), {n, h, 1, s, 1}) + reshape(score(c), {n, h, 1, 1, r}), {n, h, 1, s * r});
    const Var hidden = tanh(reshape(more_[0](q), {n, h, l, 1}) + pairs);
    return more_[1](hidden);
  }

  Var attended(const Var& scores, const Var& values) const {
    return join_heads(matmul(dropout_(tap("attention", softmax(scores, 3))), values));
  }

  Options o_;
  Linear query_, key_, value_, context_;
  std::vector<Linear> more_;
  Dropout dropout_;
};

Form form_of(const std::string& name) {
  if (name == "dot") return Form::dot;
  if (name == "scaled") return Form::scaled;
  if (name == "additive") return Form::additive;
  check(name == "trilinear", "tri_attention: expected form dot, scaled, additive or trilinear, got '", name, "'");
  return Form::trilinear;
}

}  // namespace

FOVEA_SEQUENCES(tri_attention, "queries weigh pairs of a key and a context", "Yu et al. 2022, arXiv:2211.02899") {
  Options o;
  o.form = form_of(args.get("form", "trilinear", "of the scores: dot, scaled, additive, trilinear"));
  o.heads = args.get("heads", 1, "attention heads; they divide the channels");
  o.keys = args.get("key_len", 1, "with form additive: how many keys there are");
  o.context = args.get("context_len", 1, "with form additive: how long the context is");
  o.dropout = args.get("dropout", 0.0, "dropout of the weights in training");
  check(o.heads > 0 && channels % o.heads == 0, "tri_attention: expected heads that divide ", channels, " channels, got ",
        o.heads);
  check(o.keys > 0 && o.context > 0, "tri_attention: expected key_len and context_len >= 1, got ", o.keys, " and ", o.context);
  return std::make_unique<TriAttention>(scope, channels, o);
}

}  // namespace fovea
