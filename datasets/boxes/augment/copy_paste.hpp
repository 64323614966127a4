// Objects of another picture pasted with their boxes: after Ghiasi et al. 2020, arXiv:2012.07177, whose masks are whole boxes
// here.
#pragma once

#include "datasets/boxes/augment.hpp"

namespace fovea {

// Up to six objects of `donor`, at sizes as augmentation gives them, each at a random place where it hides little of what is
// there. The pixels around a box fade into the canvas; of neighbours that come along inside the box those are ignored of
// which half or more is missing.
void paste_objects(BoxPicture& canvas, const BoxPicture& donor, const Preprocess& p, const BoxAugment& a, Random& random);

}  // namespace fovea
