// What a highlighting head's numbers mean, for the task that makes regions of them. Classes are apart from each other: a pixel may belong to several
// (a heart within the lungs' outline), or to none.
#pragma once

#include <vector>

#include "modules/nn/head.hpp"

namespace fovea {

// What its user shows, unless told otherwise; one value a class.
struct RegionRules {
  std::vector<double> thresholds;  // probability from which a pixel belongs to a class
  std::vector<double> least_area;  // of a region, in pixels of the network's input
  bool objects = false;            // touching regions of a class are told apart by the output "distance"
  double middle = 0.5;             // of "distance": from here on a pixel is in the middle of its object
  int margin = 0;                  // mirrored pixels of the network's input that its user puts around a picture
  bool scored = false;  // the head was fitted, not trained, and a whole picture has a score: the largest "distance" on it
};

// Output "logits": N x classes x H x W, whose sigmoids are the probabilities. With objects "distance", of the same shape: how far a pixel is from the
// edge of its object, 1 where that is farthest, 0 outside. Of scored heads "distance" is the logarithm of how far a pixel is from what is normal, in
// standard deviations of normal ones from their mean.
class HighlightHead : public Head {
 public:
  const RegionRules& rules() const { return rules_; }

 protected:
  HighlightHead(const Scope& scope, HeadInfo info, RegionRules rules) : Head(scope, std::move(info)), rules_(std::move(rules)) {}

 private:
  RegionRules rules_;
};

}  // namespace fovea
