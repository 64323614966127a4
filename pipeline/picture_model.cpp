#include "pipeline/picture_model.hpp"

#include "datasets/preprocess.hpp"

namespace fovea {

PictureModel::PictureModel(Model model, Options options) : model_(std::move(model)), options_(std::move(options)) {
  const Preprocess& p = model_.preprocess();
  check(p.resize != Preprocess::Resize::none, model_.name(),
        " takes pictures of any size as they are, and a batch has one: expected a network with a size in its recipe");
  if (!options_.keep.empty()) layers_ = map_layers(model_, options_.keep);
}

PictureModel::Answer PictureModel::answer(const Model::Result& result, std::int64_t index, const Geometry& geometry) const {
  Answer a{{}, {}, {}, {}, geometry};
  for (const auto& [name, value] : result.outputs) a.outputs.add(name, value.slice(0, index, index + 1));
  a.output = a.outputs.first();
  if (model_.info().outputs.front().kind == "class logits") a.top = top_k(a.output, model_.classes(), options_.top);
  a.maps = placed_maps(layers_, result.taps, index, geometry);
  return a;
}

std::vector<PictureModel::Answer> PictureModel::run(const std::vector<cv::Mat>& pictures) const {
  if (pictures.empty()) return {};
  const auto count = static_cast<std::int64_t>(pictures.size());
  const Preprocess& p = model_.preprocess();
  Tensor batch = Tensor::empty({count, p.channels, p.height, p.width}, DType::f32, Layout::channels_last);
  std::vector<Geometry> geometries;
  for (std::int64_t i = 0; i < count; ++i)
    geometries.push_back(preprocess_into(batch, i, pictures[static_cast<std::size_t>(i)], p));
  const auto result = model_.run(batch, {.keep = explain::glob_of(layers_), .precision = options_.precision});
  std::vector<Answer> answers;
  for (std::int64_t i = 0; i < count; ++i) answers.push_back(answer(result, i, geometries[static_cast<std::size_t>(i)]));
  return answers;
}

}  // namespace fovea
