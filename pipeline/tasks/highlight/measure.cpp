#include "pipeline/tasks/highlight/measure.hpp"

#include "datasets/regions/split.hpp"

namespace fovea {

HighlightMeasure::HighlightMeasure(const Model& model, const std::vector<double>& thresholds, bool outlines)
    : regions(model.classes(), thresholds, outlines), rules_(highlight_head(model).rules()) {
  rules_.thresholds = thresholds;
  if (rules_.objects) objects.resize(model.classes().size());
}

void HighlightMeasure::add(const Highlighter& highlighter, const RegionPicture& picture, const cv::Mat& where) {
  const Highlights answer = highlighter(picture.values);
  std::optional<std::array<double, 2>> mm;
  if (picture.spacing) mm = {picture.spacing->rows, picture.spacing->columns};
  regions.add(answer.probabilities, picture.truth.masks, where, mm);
  const Geometry g = geometry_of(picture.values.size(), highlighter.model().preprocess());
  for (std::size_t c = 0; c < objects.size(); ++c) {
    const cv::Mat& truth = picture.truth.objects[c];
    objects[c].add(regions_of(answer, c, rules_, rules_.thresholds[c], g.scale_x * g.scale_y),
                   truth.empty() ? connected_regions(picture.truth.masks[c]) : truth);
  }
}

cv::Mat regions_of(const Highlights& answer, std::size_t c, const RegionRules& rules, double threshold, double shrink) {
  const cv::Mat mask = answer.probabilities[c] >= threshold;
  const cv::Mat regions = rules.objects ? separated_objects(mask, answer.distances[c], rules.middle) : connected_regions(mask);
  return without_small(regions, rules.least_area[c] * shrink);
}

}  // namespace fovea
