// How much of what pictures suffered a network undoes: networks between one that learned from clean pictures and one that was fine-tuned
// from it on degraded ones (`train.weights` and `train.degrade` of its recipe), mixed by their parameters (Wang et al. 2019, "Deep Network
// Interpolation for Continuous Imagery Effect Transition", arXiv:1811.10515). A picture costs the same at every strength.
#pragma once

#include "modules/model.hpp"

namespace fovea {

// The network of a strength from 0 (the model that its training began with) to 1 (the model itself). Error: it has no strength, or what
// `train.weights` names is not here or is another network.
Model with_strength(const Model& model, double strength);

}  // namespace fovea
