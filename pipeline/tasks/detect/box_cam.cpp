#include "pipeline/tasks/detect/box_cam.hpp"

#include <cmath>

#include "modules/explain/methods.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/tasks/detect/box_score.hpp"
#include "pipeline/tasks/detect/detector.hpp"

namespace fovea {
namespace {

constexpr double kOverlap = 0.5;

std::int64_t surest(const DetectMaps& maps, const DetectGrid& grid, const Detection& on_network) {
  std::int64_t best = -1;
  float best_logit = 0;
  for (std::int64_t i = 0; i < grid.size(); ++i) {
    const float logit = maps.logits(0, i)[on_network.label];
    if (best >= 0 && logit <= best_logit) continue;
    const BoxF box = grid.decode(grid.places()[static_cast<std::size_t>(i)], maps.box(0, i));
    if (iou(to_box(box), on_network.box) >= kOverlap) best = i, best_logit = logit;
  }
  check(best >= 0, "detect: no prediction of the whole picture overlaps the box to explain");
  return best;
}

// The last map with as many positions as the level has that is no gate and no output: what the head's subnets see.
explain::Layer features_of(const std::vector<explain::Layer>& layers, const DetectGrid::Level& level) {
  const explain::Layer* found = nullptr;
  for (const explain::Layer& l : layers) {
    const bool of_head = l.name.starts_with("head.");
    if (!of_head && l.kind == explain::LayerKind::map && l.shape[2] == level.height && l.shape[3] == level.width) found = &l;
  }
  check(found, "detect: the network has no map of ", level.height, " x ", level.width, " positions to explain by");
  return *found;
}

// The class logit of a prediction.
ClassLogit logit_of(std::int64_t prediction, std::int64_t label, const DetectGrid& grid) {
  const DetectGrid::Level& level = grid.levels()[grid.level_of(prediction)];
  const std::int64_t each = grid.coding().per_position(), inside = prediction - level.begin, position = inside / each;
  return {"class." + std::to_string(level.stride), inside % each * grid.classes() + label, position / level.width,
          position % level.width};
}

}  // namespace

std::vector<PlacedMap> box_cams(const Model& model, const cv::Mat& picture, std::span<const Detection> detections) {
  if (detections.empty()) return {};
  const Preprocessed in = preprocess(picture, model.preprocess());
  const DetectGrid grid(detect_head(model).coding(), static_cast<std::int64_t>(model.classes().size()), in.tensor.dim(2),
                        in.tensor.dim(3));
  const DetectMaps said(model.run(in.tensor, {}).outputs, grid);
  const explain::ForwardFunction network = explained(model);
  const std::vector<explain::Layer> layers = explain::layers_of(network, in.tensor.shape());
  std::vector<PlacedMap> maps;
  for (Detection d : detections) {
    d.box = to_network(d.box, in.geometry);
    const std::int64_t prediction = surest(said, grid, d);
    const ClassLogit logit = logit_of(prediction, d.label, grid);
    const explain::Layer layer = features_of(layers, grid.levels()[grid.level_of(prediction)]);
    const auto confidence = [logit](const NamedVars& y) { return sigmoid(logit(y)); };
    explain::Map map = explain::grad_cam({network, in.tensor, logit, confidence, {layer}}).maps.at(0);
    cv::Mat heat = place_map(map, in.geometry);
    maps.push_back({layer.name, std::move(heat), std::move(map)});
  }
  return maps;
}

}  // namespace fovea
