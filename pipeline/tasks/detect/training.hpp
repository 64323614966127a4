// Training a detector: augmented pictures with boxes, HAR-Net's or any other head of modules/heads/detect.hpp, COCO's AP on validation pictures.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::vector<KeyGroup> detect_keys();
std::vector<TrainingFile> detect_files(const Yaml& recipe, const std::filesystem::path& root);
// Names the head's classes from the data where the recipe does not.
void name_detected(Yaml& recipe, const std::filesystem::path& root);
TrainJob detect_training(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

}  // namespace fovea
