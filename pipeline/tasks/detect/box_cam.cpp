#include "pipeline/tasks/detect/box_cam.hpp"

#include "modules/explain/methods.hpp"
#include "modules/ops/unary.hpp"
#include "pipeline/tasks/detect/box_origin.hpp"
#include "pipeline/tasks/detect/box_score.hpp"

namespace fovea {
namespace {

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

std::vector<PlacedMap> box_cams(const Detector& detector, const cv::Mat& picture, std::span<const Detection> detections) {
  Looks looks(detector, picture);
  const explain::ForwardFunction network = explained(detector.model());
  std::vector<PlacedMap> maps;
  for (const Detection& d : detections) {
    const auto [look, prediction, rank] = looks.of(d);
    const DetectGrid& grid = look->grid();
    const ClassLogit logit = logit_of(prediction, d.label, grid);
    const explain::Layer layer =
        features_of(explain::layers_of(network, look->input().shape()), grid.levels()[grid.level_of(prediction)]);
    const auto confidence = [logit](const NamedVars& y) { return sigmoid(logit(y)); };
    explain::Map map = explain::grad_cam({network, look->input(), logit, confidence, {layer}}).maps.at(0);
    cv::Mat heat = look->placed(map, picture.size());
    maps.push_back({layer.name, std::move(heat), std::move(map)});
  }
  return maps;
}

}  // namespace fovea
