#include "apps/fovea/evaluate.hpp"

namespace fovea {

EvalTable evaluate(const Model& model, const EvalSet& set, const UpscaleOptions& options) {
  return evaluate_upscaling(set, model.upscale().scale, [&](const cv::Mat& low) {
    return upscale_image(model, Image{low, low.channels() == 1, {}}, options).image.pixels;
  });
}

}  // namespace fovea
