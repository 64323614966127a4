#include "pipeline/tasks/highlight/measure.hpp"
#include "pipeline/tasks/highlight/stages.hpp"

namespace fovea {
namespace {

cv::Mat in_16_bits(const cv::Mat& share) {
  cv::Mat out;
  share.convertTo(out, CV_16U, 65535);
  return out;
}

// The regions of each volume get numbers of their own.
void number_volumes(HighlightAnswer& answer, std::size_t classes) {
  std::size_t first = 0;
  for (const int count : answer.stack->volumes()) {
    const std::size_t last = first + static_cast<std::size_t>(count);
    for (std::size_t c = 0; count > 1 && c < classes; ++c) {
      std::vector<cv::Mat> slices;
      for (std::size_t i = first; i < last; ++i) slices.push_back(answer.pictures[i].classes[c].regions);
      join_slices(slices);
    }
    first = last;
  }
}

}  // namespace

std::optional<PictureScore> score_of(const Highlights& answer, std::size_t c, const RegionRules& rules) {
  if (!rules.scored) return std::nullopt;
  PictureScore score;
  cv::minMaxLoc(answer.probabilities[c], nullptr, &score.probability);
  cv::minMaxLoc(answer.distances[c], nullptr, &score.deviations);
  return score;
}

FoundPicture HighlightStack::look_at(StackReader& reader, const ImageStack& stack, int i) const {
  const Preprocess& p = highlighter_->model().preprocess();
  const Highlights seen = (*highlighter_)(reader.values(i));
  const StackImage& image = reader.image(i);
  const Geometry g = geometry_of(image.values.size(), p);
  FoundPicture found;
  found.shown = image.shown;
  for (std::size_t c = 0; c < seen.probabilities.size(); ++c) {
    FoundClass k;
    k.regions = regions_of(seen, c, rules_, rules_.thresholds[c], g.scale_x * g.scale_y);
    k.probability = in_16_bits(seen.probabilities[c]);
    const cv::Mat spread = seen.uncertainty.empty() ? cv::Mat() : seen.uncertainty[c];
    if (!spread.empty()) k.uncertainty = in_16_bits(spread);
    k.measures = measure_regions(k.regions, image.values, seen.probabilities[c], spread, stack.slice(i).about.spacing);
    k.score = score_of(seen, c, rules_);
    found.classes.push_back(std::move(k));
  }
  found.maps = seen.maps;
  return found;
}

void HighlightStack::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    HighlightAnswer answer;
    answer.stack = frame.results.take(kStack);
    answer.forced = !unaccepted(accepts_, *answer.stack).empty();
    StackReader reader(answer.stack, highlighter_->model().preprocess());
    for (int i = 0; i < answer.stack->size(); ++i) {
      answer.pictures.push_back(look_at(reader, *answer.stack, i));
      if (frame.advance) frame.advance(static_cast<double>(i + 1) / answer.stack->size());
    }
    number_volumes(answer, rules_.thresholds.size());
    // Numbers that changed change in the measures, too.
    for (FoundPicture& p : answer.pictures)
      for (FoundClass& k : p.classes)
        for (RegionMeasure& m : k.measures) m.number = k.regions.at<int>(m.first);
    frame.results.put(kHighlighted, std::move(answer));
  }
}

}  // namespace fovea
