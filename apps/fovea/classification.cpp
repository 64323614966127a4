#include "apps/fovea/classification.hpp"

#include <algorithm>

#include "datasets/preprocess.hpp"
#include "pipeline/stages/classify.hpp"

namespace fovea {
namespace {

std::string quoted(const std::string& field) {
  std::string out = "\"";
  for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// f(number of the first picture, logits) for the pictures as the model sees them in use, some at a time.
template <class F>
void each_batch(const Model& model, const Photos& photos, int batch, DType precision, const F& f) {
  check(batch > 0, "expected a batch of at least 1, got ", batch);
  const Preprocess p = preprocess_of(model);
  for (std::size_t begin = 0; begin < photos.size(); begin += static_cast<std::size_t>(batch)) {
    const auto n = static_cast<std::int64_t>(std::min(photos.size() - begin, static_cast<std::size_t>(batch)));
    Tensor input = Tensor::empty({n, 3, p.height, p.width}, DType::f32, Layout::channels_last);
    for (std::int64_t i = 0; i < n; ++i) preprocess_into(input, i, photos.image(begin + static_cast<std::size_t>(i)), p);
    f(begin, model.run(input, {.precision = precision}).output.contiguous(Layout::row_major));
  }
}

}  // namespace

ClassificationMetrics measure(const Model& model, const Photos& photos, int batch, DType precision) {
  ClassificationMetrics metrics(model.classes());
  each_batch(model, photos, batch, precision, [&](std::size_t first, const Tensor& logits) {
    Tensor labels = Tensor::empty({logits.dim(0)}, DType::s64);
    for (std::int64_t i = 0; i < logits.dim(0); ++i)
      labels.data<std::int64_t>()[i] = photos.samples()[first + static_cast<std::size_t>(i)].label;
    metrics.add(logits, labels);
  });
  return metrics;
}

void label_by(const Model& teacher, Photos& photos, int batch) {
  each_batch(teacher, photos, batch, DType::f32, [&](std::size_t first, const Tensor& logits) {
    const std::int64_t classes = logits.dim(1);
    for (std::int64_t i = 0; i < logits.dim(0); ++i) {
      const float* row = logits.data<float>() + i * classes;
      photos.label(first + static_cast<std::size_t>(i), std::max_element(row, row + classes) - row);
    }
  });
}

std::string samples_table(const std::vector<Sample>& samples, const std::vector<std::string>& classes) {
  std::string out = "path,label\n";
  for (const Sample& s : samples)
    out +=
        quoted(std::filesystem::absolute(s.file).string()) + "," + quoted(classes.at(static_cast<std::size_t>(s.label))) + "\n";
  return out;
}

std::string bad_table(const std::vector<Photos::Bad>& bad) {
  std::string out = "path,reason\n";
  for (const Photos::Bad& b : bad) out += quoted(b.file.string()) + "," + quoted(b.reason) + "\n";
  return out;
}

}  // namespace fovea
