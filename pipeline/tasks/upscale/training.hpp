// Training for super-resolution: patches of photographs, a loss between pixels, PSNR on whole images.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::vector<KeyGroup> upscale_keys();
std::vector<TrainingFile> upscale_files(const Yaml& recipe, const std::filesystem::path& root);
TrainJob upscale_training(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

}  // namespace fovea
