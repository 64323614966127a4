// Stacked cross attention as a block. Inputs: queries N x L x D, context N x S x D, perhaps booleans N x L and N x S (true: there
// is one). Result: each query's mean of the context, N x L x D. Tap "attention": N x 1 x L x S; "map": N x S x L.
#include "modules/attention/cross/stacked_attention.hpp"

#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr double kEps = 1e-8;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// scores ... x S x L, over L.
Var normalised(Var s, const std::string& norm, const Var& query_mask) {
  const auto hidden = [&](const Var& x, double value) {
    return query_mask.defined() ? where(query_mask, x, scale(x, 0, value)) : x;
  };
  if (norm == "softmax") return softmax(hidden(s, -kInfinite), -1);
  if (norm.rfind("clipped", 0) == 0) s = leaky_relu(s, 0.1);
  if (ends_with(norm, "l2norm")) return s / scale(length_of(hidden(s, 0)), 1, kEps);
  if (ends_with(norm, "l1norm")) return s / scale(sum(maximum(hidden(s, 0), hidden(neg(s), 0)), {-1}), 1, kEps);
  return s;
}

}  // namespace

Var length_of(const Var& x) { return sqrt(clamp(sum(x * x, {-1}), 1e-30, kInfinite)); }

StackedOptions stacked_options(Args& args) {
  StackedOptions o;
  o.norm = args.get("norm", "clipped_l2norm",
                    "of the scores over the queries: softmax, l2norm, clipped_l2norm, l1norm, clipped_l1norm, clipped, none");
  o.lambda = args.get("lambda_softmax", 9.0, "factor of the scores in the softmax over the context");
  for (const char* known : {"softmax", "l2norm", "clipped_l2norm", "l1norm", "clipped_l1norm", "clipped", "none"})
    if (o.norm == known) return o;
  fail(args.where(), ": expected norm softmax, l2norm, clipped_l2norm, l1norm, clipped_l1norm, clipped or none, got '", o.norm,
       "'");
}

Stacked stacked_attention(const Var& query, const Var& context, const StackedOptions& o, const Var& query_mask,
                          const Var& context_mask) {
  const Var s = transposed(normalised(matmul(context, transposed(query)), o.norm, query_mask));
  const Var scaled = scale(s, o.lambda);
  const Var w = softmax(context_mask.defined() ? where(context_mask, scaled, scale(scaled, 0, -kInfinite)) : scaled, -1);
  return {matmul(w, context), w};
}

namespace {

class StackedAttention final : public Block {
 public:
  StackedAttention(const Scope& s, StackedOptions o) : Block(s), o_(std::move(o)) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 4, "expected queries, a context and perhaps both masks, got ", in.size(), " values");
    for (std::size_t i = 0; i < 2; ++i)
      check(in[i].shape().rank() == 3 && in[i].dim(0) == in[0].dim(0) && in[i].dim(2) == in[0].dim(2),
            "expected tokens N x L x D with N = ", in[0].dim(0), " and D = ", in[0].dim(2), ", got ", in[i].shape());
    const auto mask = [&](std::size_t i) {
      if (in.size() < 4) return Var();
      const Shape shape{in[0].dim(0), in[i - 2].dim(1)};
      check(in[i].shape() == shape, "expected a mask ", shape, ", got ", in[i].shape());
      return reshape(in[i], {shape[0], 1, shape[1]});
    };
    const Stacked y = stacked_attention(in[0], in[1], o_, mask(2), mask(3));
    tap("attention", reshape(y.weights, {in[0].dim(0), 1, in[0].dim(1), in[1].dim(1)}));
    tap("map", transposed(y.weights));
    return {y.context};
  }

 private:
  StackedOptions o_;
};

}  // namespace

FOVEA_SEQUENCES(stacked_attention, "words look at regions, or regions at words", "Lee et al. 2018, arXiv:1803.08024") {
  return std::make_unique<StackedAttention>(scope, stacked_options(args));
}

}  // namespace fovea
