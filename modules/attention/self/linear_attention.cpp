// Linear attention: y_i = phi(q_i) sum_j phi(k_j) v_j^T / (phi(q_i) . sum_j phi(k_j) + eps) with phi = elu + 1, multi-head, between
// projections with bias. Cost grows with the number of tokens, not its square; causal by running sums.
// Katharopoulos et al. 2020, arXiv:2006.16236, as in fast-transformers. Inputs: tokens x; or x and context; or queries, keys, values;
// a last boolean input N x S is true where a key may be attended.
// Parameters query_projection, key_projection, value_projection, out_projection: weight, bias.
// Tap "received": N x heads x 1 x S, what each key received on average over the queries.
#include "modules/attention/self/features.hpp"
#include "modules/attention/self/linear_product.hpp"
#include "modules/attention/self/token_inputs.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"

namespace fovea {
namespace {

class LinearAttention final : public Block {
 public:
  struct Options {
    std::int64_t heads, keys, values, context, value_context;
    std::string feature;
    LinearProduct product;
  };
  LinearAttention(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        query_(s / "query_projection", {.in = c, .out = o.heads * o.keys}),
        key_(s / "key_projection", {.in = o.context, .out = o.heads * o.keys}),
        value_(s / "value_projection", {.in = o.value_context, .out = o.heads * o.values}),
        out_(s / "out_projection", {.in = o.heads * o.values, .out = c}),
        options_(o),
        feature_(feature_map(o.feature)) {}

 protected:
  Vars forward(const Vars& in) const override {
    const TokenInputs t = token_inputs(in);
    const Var q = feature_(split_heads(query_(t.queries), options_.heads));
    const Var k = keep_keys(feature_(split_heads(key_(t.keys), options_.heads)), t.mask);
    const Var v = split_heads(value_(t.values), options_.heads);
    if (wants_tap("received")) tap("received", linear_received(q, k, options_.product));
    return {out_(join_heads(linear_product(q, k, v, options_.product)))};
  }

 private:
  Linear query_, key_, value_, out_;
  Options options_;
  FeatureMap feature_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(linear_attention, "attention by feature maps, of linear cost", "Katharopoulos et al. 2020, arXiv:2006.16236") {
  LinearAttention::Options o;
  o.heads = args.get("heads", 8, "attention heads");
  check(o.heads > 0, "linear_attention: expected at least one head, got ", o.heads);
  const int keys = args.get("d_keys", 0, "width of a head's queries and keys; 0: channels / heads");
  const int values = args.get("d_values", 0, "width of a head's values; 0: channels / heads");
  check((keys > 0 && values > 0) || channels % o.heads == 0, "linear_attention: ", channels, " channels do not divide into ",
        o.heads, " heads; set heads, or d_keys and d_values");
  o.keys = keys > 0 ? keys : channels / o.heads;
  o.values = values > 0 ? values : channels / o.heads;
  const int context = args.get("context_channels", 0, "channels of the keys' tokens; 0: as the queries'");
  const int value_context = args.get("value_channels", 0, "channels of the values' tokens; 0: as the keys'");
  o.context = context > 0 ? context : channels;
  o.value_context = value_context > 0 ? value_context : o.context;
  o.feature = args.get("feature", "elu", "feature map: elu (elu + 1), relu, softplus, exp, square");
  o.product.outer_eps = args.get("eps", 1e-6, "added to the sum of weights");
  o.product.causal = args.get("causal", false, "each token sees itself and what came before");
  return std::make_unique<LinearAttention>(scope, channels, o);
}

}  // namespace fovea
