// What a detection head's numbers mean, for the task that makes boxes of them.
//
// At every position of every level stand `anchors.size()` predictions, or one where there are no anchors. A prediction is one logit a class
// and four distances or changes of an anchor.
//   without anchors  the point in the middle of the cell, (column + 1/2) stride, and its distances to the left, upper, right and lower edge:
//                    stride * softplus(z), or, with `bins`, stride * the mean of 0 ... bins - 1 under softmax(z) (distribution focal loss,
//                    Li et al. 2020, arXiv:2006.04388)
//   with anchors     a box of the anchor's size around that point; z = (dx / w, dy / h, log w'/w, log h'/h) (Ren et al. 2015, arXiv:1506.01497)
// Maps are N x C x H x W; prediction a of a position has the class channels a * classes ... and the box channels a * box_channels() ...
#pragma once

#include <array>

#include "modules/nn/head.hpp"

namespace fovea {

struct BoxCoding {
  std::vector<int> strides = {};                    // input pixels a cell, finest level first
  int bins = 0;                                     // of each distance; 0: the distance itself
  std::vector<std::array<double, 2>> anchors = {};  // width and height in strides; empty: none

  std::int64_t per_position() const { return anchors.empty() ? 1 : static_cast<std::int64_t>(anchors.size()); }
  std::int64_t box_channels() const { return 4 * std::max(bins, 1); }  // of one prediction
};

// What its user shows of the predictions, unless told otherwise.
struct DetectThresholds {
  double confidence = 0.25;  // least score of a box
  double iou = 0.6;          // overlap from which two boxes of a class are one
};

// Outputs "class.<stride>" of all levels, finest first, then "box.<stride>" of all.
class DetectHead : public Head {
 public:
  const BoxCoding& coding() const { return coding_; }
  const DetectThresholds& thresholds() const { return thresholds_; }

 protected:
  DetectHead(const Scope& scope, HeadInfo info, BoxCoding coding, DetectThresholds thresholds)
      : Head(scope, std::move(info)), coding_(std::move(coding)), thresholds_(thresholds) {}

 private:
  BoxCoding coding_;
  DetectThresholds thresholds_;
};

}  // namespace fovea
