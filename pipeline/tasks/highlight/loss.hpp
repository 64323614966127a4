// How wrong a highlighting network's outputs are about a batch: a sum of losses, each with a weight.
#pragma once

#include "modules/heads/highlight.hpp"
#include "modules/nn/args.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

struct HighlightLossOptions {
  double cross_entropy = 1, dice = 1, focal = 0, focal_tversky = 0, cl_dice = 0, boundary = 0, distance = 1;
  double gamma = 2;            // of focal: the exponent
  double tversky_alpha = 0.3;  // of focal_tversky: what false positives weigh; false negatives the rest to 1
  double tversky_exponent = 0.75;
  int thin = 5;                               // of cl_dice: steps of thinning
  double deep = 0.5;                          // what the coarser outputs of deep supervision weigh together
  std::vector<double> class_weights = {};     // empty: 1 each
  std::vector<double> positive_weights = {};  // of pixels that have the class, in cross-entropy; empty: 1 each
};
// The keys of `train.losses`.
HighlightLossOptions read_highlight_loss(Args& args, std::size_t classes);

// Targets "mask", and where needed "distance" and "edges", as RegionSource gives them (datasets/regions/source.hpp).
Var highlight_loss(const NamedVars& outputs, const Batch& batch, const HighlightLossOptions& options);

}  // namespace fovea
