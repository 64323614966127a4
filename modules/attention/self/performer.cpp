// Performer self-attention: out(favor(q x, k x, v x)), multi-head; see favor.hpp for the core. Linear cost.
// Choromanski et al. 2020, arXiv:2009.14794, as in performer-pytorch. Inputs: tokens x; or x and context; or queries, keys, values; a
// last boolean input N x S is true where a key may be attended.
// Parameters to_q, to_k, to_v: weight (bias with qkv_bias); to_out: weight, bias; buffer fast_attention.projection_matrix.
// Tap "fast_attention.received": N x heads x 1 x S, what each key received on average over the queries.
#include "modules/attention/self/favor.hpp"
#include "modules/attention/self/token_inputs.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"

namespace fovea {
namespace {

class Performer final : public Block {
 public:
  struct Options {
    std::int64_t heads, width;
    bool qkv_bias, out_bias;
    double dropout;
    Favor::Options favor;
  };
  Performer(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        favor_(s / "fast_attention", o.width, o.favor),
        q_(s / "to_q", {.in = c, .out = o.heads * o.width, .bias = o.qkv_bias}),
        k_(s / "to_k", {.in = c, .out = o.heads * o.width, .bias = o.qkv_bias}),
        v_(s / "to_v", {.in = c, .out = o.heads * o.width, .bias = o.qkv_bias}),
        out_(s / "to_out", {.in = o.heads * o.width, .out = c, .bias = o.out_bias}),
        dropout_(o.dropout),
        heads_(o.heads) {}

 protected:
  Vars forward(const Vars& in) const override {
    const TokenInputs t = token_inputs(in);
    const Var q = split_heads(q_(t.queries), heads_), k = split_heads(k_(t.keys), heads_), v = split_heads(v_(t.values), heads_);
    return {dropout_(out_(join_heads(favor_(q, k, v, t.mask))))};
  }

 private:
  Favor favor_;
  Linear q_, k_, v_, out_;
  Dropout dropout_;
  std::int64_t heads_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(performer, "softmax attention by random features, of linear cost",
                  "Choromanski et al. 2020, arXiv:2009.14794") {
  Performer::Options o;
  o.heads = args.get("heads", 8, "attention heads");
  const int width = args.get("dim_head", 0, "width of a head; 0: channels / heads");
  check(o.heads > 0, "performer: expected at least one head, got ", o.heads);
  check(width > 0 || channels % o.heads == 0, "performer: ", channels, " channels do not divide into ", o.heads,
        " heads; set heads or dim_head");
  o.width = width > 0 ? width : channels / o.heads;
  o.qkv_bias = args.get("qkv_bias", false, "bias of the projections to queries, keys and values");
  o.out_bias = args.get("attn_out_bias", true, "bias of the output projection");
  o.dropout = args.get("dropout", 0.0, "of the result, in training");
  o.favor = Favor::Options::from(args);
  return std::make_unique<Performer>(scope, channels, o);
}

}  // namespace fovea
