#include "pipeline/tasks/highlight/analyzer.hpp"

#include <algorithm>

#include "datasets/scans/unit_range.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/tasks/highlight/measure.hpp"

namespace fovea {
namespace {

// What is counted of a class over all pictures.
struct Counts {
  std::int64_t frames = 0, regions = 0;  // pictures that show it, regions on all of them
  double pixels = 0;
};

class HighlightAnalyzer final : public FrameAnalyzer {
 public:
  HighlightAnalyzer(std::shared_ptr<const Highlighter> highlighter, const RegionRules& rules, const HighlightDrawing& drawing)
      : highlighter_(std::move(highlighter)), rules_(rules), drawing_(drawing), counts_(rules.thresholds.size()) {}

  std::vector<std::string> maps() const override { return highlighter_->maps(); }
  // Where classes have thresholds of their own, the first one's stands for them until another is set.
  double threshold() const override { return rules_.thresholds.front(); }

  std::any look(const cv::Mat& picture, const std::vector<std::string>& maps) const override {
    return (*highlighter_)(unit_range(picture, highlighter_->model().preprocess()), maps);
  }

  nlohmann::ordered_json follow(std::any seen, const cv::Mat& picture, double, double threshold) override {
    auto answer = std::any_cast<Highlights>(std::move(seen));
    last_ = {};
    last_.shown = picture;
    last_.maps = std::move(answer.maps);
    auto objects = nlohmann::ordered_json::array();
    for (std::size_t c = 0; c < counts_.size(); ++c) add_class(answer, c, picture, threshold, objects);
    return {{"objects", std::move(objects)}};
  }

  cv::Mat draw(const cv::Mat& picture, const std::string& map, double opacity) const override {
    const auto found = std::find_if(last_.maps.begin(), last_.maps.end(), [&](const HighlightMap& m) { return m.name == map; });
    FoundPicture ground = last_;
    ground.shown =
        found == last_.maps.end() ? picture : heat_overlay(Image{picture, false, {}}, found->values, {.opacity = opacity}).pixels;
    return region_drawing(ground, drawing_);
  }

  nlohmann::ordered_json summary() const override {
    auto classes = nlohmann::ordered_json::array();
    for (std::size_t c = 0; c < counts_.size(); ++c)
      classes.push_back({{"class", highlighter_->model().classes()[c]},
                         {"frames", counts_[c].frames},
                         {"regions", counts_[c].regions},
                         {"pixels", counts_[c].pixels}});
    return {{"use", kResearchOnly}, {"classes", std::move(classes)}};
  }

 private:
  double threshold_of(std::size_t c, double threshold) const {
    return threshold == rules_.thresholds.front() ? rules_.thresholds[c] : threshold;
  }

  void add_class(const Highlights& answer, std::size_t c, const cv::Mat& picture, double threshold,
                 nlohmann::ordered_json& objects) {
    const Geometry g = geometry_of(picture.size(), highlighter_->model().preprocess());
    FoundClass found;
    found.regions = regions_of(answer, c, rules_, threshold_of(c, threshold), g.scale_x * g.scale_y);
    found.measures = measure_regions(found.regions, picture, answer.probabilities[c], {}, {});
    counts_[c].frames += !found.measures.empty();
    for (const RegionMeasure& m : found.measures) {
      ++counts_[c].regions, counts_[c].pixels += m.pixels;
      objects.push_back({{"class", highlighter_->model().classes()[c]},
                         {"score", m.confidence},
                         {"region", m.number},
                         {"box", {m.box.x, m.box.y, m.box.br().x, m.box.br().y}},
                         {"area_px", m.pixels}});
    }
    last_.classes.push_back(std::move(found));
  }

  std::shared_ptr<const Highlighter> highlighter_;
  RegionRules rules_;
  HighlightDrawing drawing_;
  std::vector<Counts> counts_;
  FoundPicture last_;
};

}  // namespace

std::unique_ptr<FrameAnalyzer> highlight_analyzer(std::shared_ptr<const Highlighter> highlighter, const RegionRules& rules,
                                                  const HighlightDrawing& drawing) {
  return std::make_unique<HighlightAnalyzer>(std::move(highlighter), rules, drawing);
}

}  // namespace fovea
