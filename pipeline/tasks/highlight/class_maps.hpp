// What each class was recognised by: Grad-CAM of the sum of the class's logits over the pixels that it is found on (Seg-Grad-CAM: Vinogradova et al. 2020,
// arXiv:2002.11434), at the layer that `fovea explain` takes.
#pragma once

#include "modules/heads/highlight.hpp"
#include "modules/model.hpp"
#include "pipeline/tasks/highlight/windows.hpp"

namespace fovea {

// One map for each of these classes, f32, of the input's size; empty where the class is found in no window. Each window is explained by itself and the maps
// are blended as probabilities are: a window counts by the pixels that the class has in it, one without any for nothing. Divided by all of these pixels, so
// that the map of a single window is that of the mean logit. In f32; needs the weights.
std::vector<cv::Mat> class_maps(const Model& model, const RegionRules& rules, const WindowedInput& input,
                                const std::vector<std::size_t>& classes);

}  // namespace fovea
