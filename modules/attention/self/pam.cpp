// Position attention of DANet: y = x + gamma softmax(q k^T) v over all positions, with 1x1 convolutions for q, k (fewer channels) and v.
// Fu et al. 2019, arXiv:1809.02983. Parameters gamma (1), query_conv, key_conv, value_conv: weight, bias.
// Tap "attention": N x 1 x L x L.
#include <algorithm>

#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class Pam final : public MapBlock {
 public:
  Pam(const Scope& s, std::int64_t c, std::int64_t inner)
      : MapBlock(s),
        gamma_(s.param("gamma", {1}, init::zeros())),
        query_(s / "query_conv", {.in = c, .out = inner}),
        key_(s / "key_conv", {.in = c, .out = inner}),
        value_(s / "value_conv", {.in = c, .out = c}) {}

 protected:
  Var forward(const Var& x) const override {
    const Var y = attend_tokens(to_tokens(query_(x)), to_tokens(key_(x)), to_tokens(value_(x)), 1);
    return x + gamma_ * to_map(y, x.dim(2), x.dim(3));
  }

 private:
  Var gamma_;
  Conv2d query_, key_, value_;
};

}  // namespace

FOVEA_BLOCK(pam, "every position attends to every other", "Fu et al. 2019, arXiv:1809.02983") {
  const int reduction = args.get("reduction", 8, "channel squeeze of queries and keys");
  check(reduction > 0, "pam: expected reduction above 0, got ", reduction);
  return std::make_unique<Pam>(scope, channels, std::max<std::int64_t>(1, channels / reduction));
}

}  // namespace fovea
