#include "pipeline/class_measure.hpp"

#include <algorithm>

#include "datasets/csv.hpp"
#include "datasets/preprocess.hpp"

namespace fovea {
namespace {

// Logits of the pictures [begin, begin + batch) as the model sees them in use.
Tensor logits_of(const Model& model, const Photos& photos, std::size_t begin, int batch, DType precision) {
  const Preprocess& p = model.preprocess();
  const auto n = static_cast<std::int64_t>(std::min(photos.size() - begin, static_cast<std::size_t>(batch)));
  Tensor input = Tensor::empty({n, p.channels, p.height, p.width}, DType::f32, Layout::channels_last);
  for (std::int64_t i = 0; i < n; ++i) preprocess_into(input, i, photos.image(begin + static_cast<std::size_t>(i)), p);
  return model.run(input, {.precision = precision}).outputs.at("logits").contiguous(Layout::row_major);
}

}  // namespace

void measure_batch(ClassificationMetrics& metrics, const Model& model, const Photos& photos, std::int64_t number, int batch,
                   DType precision) {
  const std::size_t first = static_cast<std::size_t>(number) * static_cast<std::size_t>(batch);
  const Tensor logits = logits_of(model, photos, first, batch, precision);
  Tensor labels = Tensor::empty({logits.dim(0)}, DType::s64);
  for (std::int64_t i = 0; i < logits.dim(0); ++i)
    labels.data<std::int64_t>()[i] = photos.samples()[first + static_cast<std::size_t>(i)].label;
  metrics.add(logits, labels);
}

std::int64_t batches_of(const Photos& photos, int batch) {
  check(batch > 0, "expected a batch of at least 1, got ", batch);
  return (static_cast<std::int64_t>(photos.size()) + batch - 1) / batch;
}

ClassificationMetrics measure(const Model& model, const Photos& photos, int batch, DType precision) {
  ClassificationMetrics metrics(model.classes());
  for (std::int64_t i = 0; i < batches_of(photos, batch); ++i) measure_batch(metrics, model, photos, i, batch, precision);
  return metrics;
}

void label_by(const Model& teacher, Photos& photos, int batch) {
  for (std::int64_t b = 0; b < batches_of(photos, batch); ++b) {
    const std::size_t first = static_cast<std::size_t>(b) * static_cast<std::size_t>(batch);
    const Tensor logits = logits_of(teacher, photos, first, batch, DType::f32);
    const std::int64_t classes = logits.dim(1);
    for (std::int64_t i = 0; i < logits.dim(0); ++i) {
      const float* row = logits.data<float>() + i * classes;
      photos.label(first + static_cast<std::size_t>(i), std::max_element(row, row + classes) - row);
    }
  }
}

std::string samples_table(const std::vector<Sample>& samples, const std::vector<std::string>& classes) {
  std::string out = "path,label\n";
  for (const Sample& s : samples)
    out += csv_quoted(std::filesystem::absolute(s.file).string()) + "," +
           csv_quoted(classes.at(static_cast<std::size_t>(s.label))) + "\n";
  return out;
}

}  // namespace fovea
