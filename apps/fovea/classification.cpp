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

}  // namespace

ClassificationMetrics measure(const Model& model, const Photos& photos, int batch, DType precision) {
  check(batch > 0, "expected a batch of at least 1, got ", batch);
  const Preprocess p = preprocess_of(model);
  ClassificationMetrics metrics(model.classes());
  for (std::size_t begin = 0; begin < photos.size(); begin += static_cast<std::size_t>(batch)) {
    const auto n = static_cast<std::int64_t>(std::min(photos.size() - begin, static_cast<std::size_t>(batch)));
    Tensor input = Tensor::empty({n, 3, p.height, p.width}, DType::f32, Layout::channels_last),
           labels = Tensor::empty({n}, DType::s64);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t index = begin + static_cast<std::size_t>(i);
      preprocess_into(input, i, photos.image(index), p);
      labels.data<std::int64_t>()[i] = photos.samples()[index].label;
    }
    metrics.add(model.run(input, {.precision = precision}).output, labels);
  }
  return metrics;
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
