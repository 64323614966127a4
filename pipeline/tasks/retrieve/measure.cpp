#include "pipeline/tasks/retrieve/measure.hpp"

#include <algorithm>

#include "datasets/preprocess.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

std::int64_t at_once(const Model& model, int batch) { return model.preprocess().resize == Preprocess::Resize::none ? 1 : batch; }

Tensor pictures_of(const Model& model, const Photos& photos, std::int64_t first, std::int64_t count) {
  const Preprocess& p = model.preprocess();
  if (p.resize == Preprocess::Resize::none) return preprocess(photos.image(static_cast<std::size_t>(first)), p).tensor;
  Tensor batch = Tensor::empty({count, p.channels, p.height, p.width}, DType::f32, Layout::channels_last);
  parallel_blocks(count,
                  [&](std::int64_t i) { preprocess_into(batch, i, photos.image(static_cast<std::size_t>(first + i)), p); });
  return batch;
}

}  // namespace

Matching::Matching(const Model& model, const CaptionedPhotos& data, DType precision)
    : model_(model),
      data_(data),
      precision_(precision),
      texts_(encode_texts(model, *text_encoder(model), data.all_captions())),
      metrics_(data.owners(), data.photos.size()) {}

std::int64_t Matching::batches(const Model& model, const CaptionedPhotos& data, int batch) {
  const std::int64_t count = static_cast<std::int64_t>(data.photos.size()), each = at_once(model, batch);
  return (count + each - 1) / each;
}

void Matching::add(std::int64_t number, int batch) {
  const std::int64_t each = at_once(model_, batch), first = number * each;
  const std::int64_t count = std::min(each, static_cast<std::int64_t>(data_.photos.size()) - first);
  const Tensor pictures = model_.run(pictures_of(model_, data_.photos, first, count), {.precision = precision_}).output;
  const std::vector<float> scores = similarities(retrieve_head(model_), pictures, texts_);
  for (std::int64_t i = 0; i < count; ++i)
    metrics_.add(std::span(scores).subspan(static_cast<std::size_t>(i) * texts_.count, texts_.count));
}

RetrievalMetrics measure(const Model& model, const CaptionedPhotos& data, int batch, DType precision) {
  Matching matching(model, data, precision);
  for (std::int64_t i = 0; i < Matching::batches(model, data, batch); ++i) matching.add(i, batch);
  return matching.metrics();
}

}  // namespace fovea
