// Losses of detectors, each one op with its own backward, summed in blocks that do not depend on the thread count. Results are scalars: sums,
// which the caller divides by what it counts as one.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct FocalOptions {
  double gamma = 2;   // 0: plain binary cross-entropy; else at least 1
  double alpha = -1;  // weight of the elements whose target is above 0, the others have 1 - alpha; below 0: all have 1
};
// Sum of weight * a * |target - p|^gamma * bce(p, target), p = sigmoid(logits). With targets of 0 and 1 the focal loss (Lin et al. 2017,
// arXiv:1708.02002), with targets between them the quality focal loss (Li et al. 2020, arXiv:2006.04388). target, weight: of the logits'
// shape, in [0, 1] and at least 0; they get no gradient.
Var focal_loss(const Var& logits, const Var& target, const Var& weight, const FocalOptions& options = {});

enum class BoxLoss : std::uint8_t { iou, giou, diou, ciou };
// Sum of weight * (1 - IoU + penalty) over pairs of boxes. boxes, target: (R, 4), corner form x1 y1 x2 y2 with x1 <= x2, y1 <= y2; weight: (R). Only
// `boxes` get a gradient. giou: Rezatofighi et al. 2019, arXiv:1902.09630; diou and ciou: Zheng et al. 2019, arXiv:1911.08287 (the factor of
// ciou's penalty of proportions counts as a constant, as there).
Var box_loss(const Var& boxes, const Var& target, const Var& weight, BoxLoss kind = BoxLoss::giou);

// "iou", "giou", "diou" or "ciou". Error, opened by `where`, for anything else.
BoxLoss box_loss_called(const std::string& name, const std::string& where);

}  // namespace fovea
