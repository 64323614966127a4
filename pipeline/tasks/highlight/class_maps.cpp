#include "pipeline/tasks/highlight/class_maps.hpp"

#include "modules/core/threads.hpp"
#include "modules/explain/methods.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/tasks/highlight/region_score.hpp"

namespace fovea {

std::vector<cv::Mat> class_maps(const Model& model, const RegionRules& rules, const WindowedInput& input,
                                const std::vector<std::size_t>& classes) {
  const ThreadScope thread_scope;
  const cv::Size size = input.windows.front().size();
  const explain::Method& method = explain::method("grad_cam");
  const explain::ForwardFunction network = explained(model);
  const auto all = explain::layers_of(network, {1, model.channels(), size.height, size.width});
  const auto layers = explain::choose_layers(all, usual_layer(model, all), method.kinds, method.name);
  std::vector<ScoreOf> scores;
  for (const std::size_t c : classes) scores.push_back(region_score(model, rules, model.classes().at(c), 1));
  std::vector<double> found(classes.size());
  std::vector<cv::Mat> maps = input.blended(classes.size(), [&](const Tensor& part, std::size_t) {
    const NamedTensors outputs = model.run(part, {}).outputs;
    std::vector<cv::Mat> of_window;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const ExplainedScore explained = scores[i](outputs);
      const double pixels = explained.facts.at("target").at("pixels").get<double>();
      found[i] += pixels;
      of_window.push_back(cv::Mat::zeros(size, CV_32F));
      if (pixels == 0) continue;
      const auto explanation = method.run({network, part, explained.score, explained.confidence, layers, {}});
      of_window.back() = on_pixels(explanation.maps.front(), size) * pixels;
    }
    return of_window;
  });
  for (std::size_t i = 0; i < maps.size(); ++i) maps[i] = found[i] > 0 ? cv::Mat(maps[i] / found[i]) : cv::Mat();
  return maps;
}

}  // namespace fovea
