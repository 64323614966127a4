// Networks that give class logits on labelled pictures: what training, distillation and evaluation share.
#pragma once

#include "datasets/metrics/classification.hpp"
#include "datasets/photos.hpp"
#include "modules/model.hpp"

namespace fovea {

// Every picture with its label, as the model sees it in use. Labels are those of the model's classes.
ClassificationMetrics measure(const Model& model, const Photos& photos, int batch, DType precision);

// The same a batch at a time: pictures [number * batch, (number + 1) * batch).
std::int64_t batches_of(const Photos& photos, int batch);
void measure_batch(ClassificationMetrics& metrics, const Model& model, const Photos& photos, std::int64_t number, int batch,
                   DType precision);

// Labels every picture with the class that the teacher finds most probable: what a student that agrees with it would say.
void label_by(const Model& teacher, Photos& photos, int batch);

// `path,label`, of files with their labels.
std::string samples_table(const std::vector<Sample>& samples, const std::vector<std::string>& classes);

}  // namespace fovea
