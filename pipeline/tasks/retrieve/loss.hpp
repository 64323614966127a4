// How far what belongs together is from being closer than what does not: the hinge of a triplet.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct TripletOptions {
  double margin = 0.2;
  bool hardest =
      true;  // of the negatives only the hardest counts (VSE++, Faghri et al. 2018, arXiv:1707.05612), else all of them
};

// similarities: N x N, text j belongs to picture j; pictures: their numbers (s64, N), of which equal ones are no negatives of each
// other. The mean over j of [margin - s(j, j) + s(j, k)]+ over texts k, plus the same over pictures k.
Var triplet_loss(const Var& similarities, const Tensor& pictures, const TripletOptions& options);

}  // namespace fovea
