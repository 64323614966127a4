#include "pipeline/tasks/detect/box_cam.hpp"

#include <cmath>

#include "modules/explain/methods.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/tasks/detect/box_score.hpp"
#include "pipeline/tasks/detect/detector.hpp"

namespace fovea {
namespace {

constexpr double kOverlap = 0.5;

std::int64_t surest(const NamedTensors& outputs, const DetectGrid& grid, const Detection& on_network) {
  const DetectMaps maps(outputs, grid);
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

}  // namespace

PlacedMap box_cam(const Model& model, const cv::Mat& picture, const Detection& detection) {
  const Preprocessed in = preprocess(picture, model.preprocess());
  const auto classes = static_cast<std::int64_t>(model.classes().size());
  const DetectGrid grid(detect_head(model).coding(), classes, in.tensor.dim(2), in.tensor.dim(3));
  Detection on_network = detection;
  on_network.box = from_pixels(in.geometry.to_network(on_pixels(detection.box)));
  const std::int64_t i = surest(model.run(in.tensor, {}).outputs, grid, on_network);
  const DetectGrid::Level& level = grid.levels()[grid.level_of(i)];
  const std::int64_t each = grid.coding().per_position(), position = (i - level.begin) / each;
  const ClassLogit logit{"class." + std::to_string(level.stride), (i - level.begin) % each * classes + detection.label,
                         position / level.width, position % level.width};
  const explain::ForwardFunction network = explained(model);
  const explain::Layer layer = features_of(explain::layers_of(network, in.tensor.shape()), level);
  explain::Map map =
      explain::grad_cam({network, in.tensor, logit, [=](const NamedVars& y) { return sigmoid(logit(y)); }, {layer}}).maps.at(0);
  cv::Mat heat = place_map(map, in.geometry);
  return {layer.name, std::move(heat), std::move(map)};
}

}  // namespace fovea
