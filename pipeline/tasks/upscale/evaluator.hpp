// How well a network upscales: PSNR and SSIM on luminance, beside bicubic enlargement, through the very path that `fovea upscale` takes.
#pragma once

#include "datasets/super_resolution.hpp"
#include "pipeline/task.hpp"
#include "pipeline/tasks/upscale/upscale_image.hpp"

namespace fovea {

EvalTable measure_upscaling(const Model& model, const EvalSet& set, const UpscaleOptions& options);

std::unique_ptr<Evaluator> upscale_evaluator();
// `fovea eval pictures`: images that were written, against the true ones.
std::unique_ptr<AnswerScorer> picture_scorer();

}  // namespace fovea
