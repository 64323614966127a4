// Stacked cross attention between regions of pictures and words, Lee et al. 2018, arXiv:1803.08024 (SCAN): scores s = context
// query^T, normalised over the queries, then a softmax of lambda s over the context; each query's mean of the context.
#pragma once

#include <string>

#include "modules/autograd/var.hpp"
#include "modules/nn/args.hpp"

namespace fovea {

struct StackedOptions {
  std::string norm = "clipped_l2norm";  // over the queries, before the softmax
  double lambda = 9;
};
// Reads norm and lambda_softmax.
StackedOptions stacked_options(Args& args);

struct Stacked {
  Var context;  // ... x L x D
  Var weights;  // ... x L x S
};
// query ... x L x D, context ... x S x D; leading axes equal or 1. Masks: booleans that repeat to ... x 1 x L and to ... x 1 x S
// (true: there is one), or undefined for all.
Stacked stacked_attention(const Var& query, const Var& context, const StackedOptions& options, const Var& query_mask = {},
                          const Var& context_mask = {});

// sqrt(sum of squares) along the last axis, which stays with size 1; its gradient at 0 is 0.
Var length_of(const Var& x);

}  // namespace fovea
