#include "pipeline/picture_model.hpp"

#include "datasets/preprocess.hpp"
#include "modules/explain/attention.hpp"

namespace fovea {

PictureModel::PictureModel(Model model, Options options)
    : model_(std::move(model)), options_(std::move(options)), preprocess_(preprocess_of(model_)) {
  check(!model_.upscales(), model_.name(),
        " enlarges pictures: expected a network that looks at them; upscale_image runs this one");
  if (options_.keep.empty()) return;
  const auto all = explain::layers_of(explained(model_), {1, 3, preprocess_.height, preprocess_.width});
  layers_ = explain::choose_layers(all, options_.keep, explain::kMapKinds, "keep");
}

PictureModel::Answer PictureModel::answer(const Model::Result& result, std::int64_t index, const Geometry& geometry) const {
  Answer a{result.output.slice(0, index, index + 1), {}, {}, geometry};
  if (model_.classifies()) a.top = top_k(a.output, model_.classes(), options_.top);
  std::vector<std::pair<std::string, Tensor>> kept;
  for (const Model::Tap& t : result.taps) kept.emplace_back(t.name, t.value);
  for (const explain::Layer& layer : layers_) {
    explain::Map map = explain::attention_map(layer, explain::find_kept(kept, layer.name).slice(0, index, index + 1));
    a.maps.push_back({layer.name, place_map(map, geometry), std::move(map)});
  }
  return a;
}

std::vector<PictureModel::Answer> PictureModel::run(const std::vector<cv::Mat>& pictures) const {
  if (pictures.empty()) return {};
  const auto count = static_cast<std::int64_t>(pictures.size());
  Tensor batch = Tensor::empty({count, 3, preprocess_.height, preprocess_.width}, DType::f32, Layout::channels_last);
  std::vector<Geometry> geometries;
  for (std::int64_t i = 0; i < count; ++i)
    geometries.push_back(preprocess_into(batch, i, pictures[static_cast<std::size_t>(i)], preprocess_));
  const auto result = model_.run(batch, {.keep = explain::glob_of(layers_), .precision = options_.precision});
  std::vector<Answer> answers;
  for (std::int64_t i = 0; i < count; ++i) answers.push_back(answer(result, i, geometries[static_cast<std::size_t>(i)]));
  return answers;
}

}  // namespace fovea
