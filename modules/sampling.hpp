// A trained network under dropout: what it says under one draw is a sample of what networks like it say, and how far the samples lie apart is how unsure
// they are. Gal and Ghahramani 2016, arXiv:1506.02142.
#pragma once

#include "modules/core/random.hpp"
#include "modules/model.hpp"

namespace fovea {

// Whether anything of the network drops values in training; found by tracing shapes of an input N x C x H x W.
bool has_dropout(const Model& model, const Shape& input);

// All of info().outputs, in f32, of one run op by op: every dropout draws from `random`, everything else is as in use. The same for every number of threads.
// It needs the weights (Model::release_weights).
NamedTensors sampled_outputs(const Model& model, const Tensor& x, Random& random, DType precision = DType::f32);

}  // namespace fovea
