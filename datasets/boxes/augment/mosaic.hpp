// Four pictures around a random centre: Bochkovskiy et al. 2020, arXiv:2004.10934. One training picture shows objects of four
// surroundings.
#pragma once

#include "datasets/boxes/augment.hpp"

namespace fovea {

// On a canvas of p's size: `picture` in one of the quarters, three of `another` in the others, each at a size and a place of
// its own.
void add_mosaic(BoxPicture& canvas, const BoxPicture& picture, const AnotherPicture& another, const Preprocess& p,
                const BoxAugment& a, Random& random);

}  // namespace fovea
