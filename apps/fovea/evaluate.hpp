// Scores of an upscaling model, through the very path that `fovea upscale` takes.
#pragma once

#include "datasets/super_resolution.hpp"
#include "pipeline/stages/upscale.hpp"

namespace fovea {

EvalTable evaluate(const Model& model, const EvalSet& set, const UpscaleOptions& options);

}  // namespace fovea
