// What is explained: one number for each sample, made of the network's outputs.
#pragma once

#include <functional>

#include "modules/autograd/var.hpp"
#include "modules/core/of_outputs.hpp"
#include "modules/explain/layers.hpp"

namespace fovea::explain {

using Score = OfOutputs<Var, Var>;  // N x ... to N

// Of logits N x classes.
Score class_logit(std::int64_t index);
Score class_probability(std::int64_t index);

// The score of every sample, without a tape. Error when one is not finite: then weights are not, or values overflow.
std::vector<double> scores_of(const ForwardFunction& network, const Score& score, const Tensor& x);

// The class with the highest logit of one sample.
std::int64_t top_class(const Tensor& logits);

// Changes to one input, run `batch` at a time: `change(i, data)` alters copy i of x (1 x C x H x W, channels-last, f32) in place.
std::vector<double> scores_of_changed(const ForwardFunction& network, const Score& score, const Tensor& x, std::int64_t count,
                                      std::int64_t batch, const std::function<void(std::int64_t, float*)>& change);

// d(score of the sample)/dx and d(score)/d(every kept layer), with parameters left out of it.
struct Gradients {
  double score = 0;               // summed over the samples
  Tensor input;                   // of x; undefined unless asked for
  std::vector<Tensor> values;     // of the layers, in their order
  std::vector<Tensor> gradients;  // the same; zeros where the score does not depend on a layer
};
Gradients gradients_of(const ForwardFunction& network, const Score& score, const Tensor& x, const std::vector<Layer>& layers,
                       bool input = false);

}  // namespace fovea::explain
