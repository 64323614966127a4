#include "pipeline/tasks/detect/analyzer.hpp"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "datasets/boxes/detections.hpp"
#include "pipeline/sinks/box_overlay.hpp"
#include "pipeline/sinks/colours.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/tracking/tracker.hpp"

namespace fovea {
namespace {

// What is counted of a class over all pictures.
struct ClassCounts {
  std::int64_t frames = 0, boxes = 0, most = 0;  // pictures that show it, boxes in all of them, the most in one
  std::set<std::int64_t> tracks;
};

// A box that is shown, and which object it is; 0: unknown, or not confirmed yet.
struct Shown {
  Detection detection;
  std::int64_t track = 0;
};

Image image_of(const cv::Mat& pixels) {
  Image image;
  image.pixels = pixels;
  return image;
}

// A box that is shown may go on with a track, one a little surer may begin one, as ByteTrack's thresholds lie to each other.
TrackerOptions tracker_options(double confidence) {
  TrackerOptions options;
  options.low_score = std::min(confidence, kStreamFloor);
  options.high_score = confidence;
  options.new_score = std::min(1.0, confidence + 0.1);
  return options;
}

class DetectAnalyzer final : public FrameAnalyzer {
 public:
  DetectAnalyzer(std::shared_ptr<const Detector> detector, const DetectStreamOptions& options)
      : detector_(std::move(detector)),
        options_(options),
        counts_(detector_->classes().size()),
        tracker_(tracker_options(options.confidence)) {
    options_.track = options_.track || !options_.lines.empty() || !options_.zones.empty();
  }

  std::vector<std::string> maps() const override {
    std::vector<std::string> names;
    for (const explain::Layer& layer : detector_->layers()) names.push_back(layer.name);
    return names;
  }
  double threshold() const override { return options_.confidence; }
  double opacity() const override { return options_.opacity; }

  std::any look(const cv::Mat& picture, const std::vector<std::string>& maps) const override {
    std::vector<explain::Layer> layers;
    for (const explain::Layer& layer : detector_->layers())
      if (std::find(maps.begin(), maps.end(), layer.name) != maps.end()) layers.push_back(layer);
    Detector::Answer answer = detector_->run(picture, layers);
    if (!options_.labels.empty())
      std::erase_if(answer.detections, [&](const Detection& d) { return !options_.labels.contains(d.label); });
    return answer;
  }

  nlohmann::ordered_json follow(std::any seen, const cv::Mat& picture, double seconds, double threshold) override {
    last_ = std::any_cast<Detector::Answer>(std::move(seen));
    nlohmann::ordered_json json;
    const auto tracks = options_.track ? tracker_.update(last_.detections, seconds) : std::vector<Track>();
    show(tracks, threshold);
    json["objects"] = objects();
    if (options_.track) json["events"] = pass(tracks, picture.size(), seconds);
    return json;
  }

  cv::Mat draw(const cv::Mat& picture, const std::string& map, double opacity) const override {
    const auto placed = std::find_if(last_.maps.begin(), last_.maps.end(), [&](const PlacedMap& m) { return m.name == map; });
    const Image image = image_of(picture);
    const Image ground = placed == last_.maps.end() ? image : heat_overlay(image, placed->heat, {.opacity = opacity});
    std::vector<DrawnBox> boxes;
    for (const Shown& s : shown_) {
      boxes.push_back(drawn(s.detection, detector_->classes()));
      if (s.track > 0) boxes.back().text += " #" + std::to_string(s.track);
    }
    cv::Mat drawn = box_overlay(ground, boxes);
    draw_regions(drawn);
    return drawn;
  }

  nlohmann::ordered_json summary() const override {
    auto classes = nlohmann::ordered_json::array();
    for (std::size_t c = 0; c < counts_.size(); ++c) {
      const ClassCounts& n = counts_[c];
      if (n.frames == 0) continue;
      classes.push_back(
          {{"class", detector_->classes()[c]}, {"index", c}, {"frames", n.frames}, {"boxes", n.boxes}, {"most", n.most}});
      if (options_.track) classes.back()["tracks"] = n.tracks.size();
    }
    nlohmann::ordered_json all{{"classes", std::move(classes)}};
    if (crossings_) all.update(crossings_->json());
    return all;
  }

 private:
  void show(const std::vector<Track>& tracks, double threshold) {
    std::vector<std::int64_t> ids(last_.detections.size(), 0);
    for (const Track& t : tracks)
      if (t.index) ids[*t.index] = t.id;
    shown_.clear();
    std::vector<std::int64_t> here(counts_.size(), 0);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const Detection& d = last_.detections[i];
      if (d.score < threshold) continue;
      shown_.push_back({d, ids[i]});
      const auto c = static_cast<std::size_t>(d.label);
      ++here[c];
      if (ids[i] > 0) counts_[c].tracks.insert(ids[i]);
    }
    for (std::size_t c = 0; c < here.size(); ++c) {
      ClassCounts& n = counts_[c];
      n.frames += here[c] > 0, n.boxes += here[c], n.most = std::max(n.most, here[c]);
    }
  }

  nlohmann::ordered_json objects() const {
    Detections detections;
    for (const Shown& s : shown_) detections.push_back(s.detection);
    auto all = to_json(detections, detector_->classes());
    for (std::size_t i = 0; i < shown_.size(); ++i)
      if (shown_[i].track > 0) all[i]["track"] = shown_[i].track;
    return all;
  }

  // Lines and zones lie on pictures of one size; where it changes they are counted from there on anew, under the same tracks.
  nlohmann::ordered_json pass(const std::vector<Track>& tracks, cv::Size size, double seconds) {
    auto events = nlohmann::ordered_json::array();
    if (options_.lines.empty() && options_.zones.empty()) return events;
    if (size != size_) place_regions(size);
    for (const CrossingEvent& e : crossings_->update(tracks, seconds)) events.push_back(to_json(e));
    return events;
  }

  void place_regions(cv::Size size) {
    lines_.clear(), zones_.clear();
    for (const LineText& line : options_.lines) lines_.push_back(line.on(size));
    for (const ZoneText& zone : options_.zones) zones_.push_back(zone.on(size));
    crossings_.emplace(detector_->classes(), lines_, zones_);
    size_ = size;
  }

  void draw_regions(cv::Mat& picture) const {
    const int width = std::max(1, std::min(picture.rows, picture.cols) / 240);
    for (std::size_t i = 0; i < lines_.size(); ++i)
      cv::line(picture, lines_[i].a, lines_[i].b, label_colour(i), 2 * width, cv::LINE_AA);
    for (std::size_t i = 0; i < zones_.size(); ++i) {
      std::vector<cv::Point> corners;
      for (const cv::Point2d& p : zones_[i].points) corners.emplace_back(p);
      cv::polylines(picture, corners, true, label_colour(lines_.size() + i), width, cv::LINE_AA);
    }
  }

  std::shared_ptr<const Detector> detector_;
  DetectStreamOptions options_;
  std::vector<ClassCounts> counts_;
  Tracker tracker_;
  cv::Size size_;
  std::vector<Line> lines_;
  std::vector<Zone> zones_;
  std::optional<Crossings> crossings_;
  Detector::Answer last_;
  std::vector<Shown> shown_;
};

}  // namespace

std::unique_ptr<FrameAnalyzer> detect_analyzer(std::shared_ptr<const Detector> detector, const DetectStreamOptions& options) {
  return std::make_unique<DetectAnalyzer>(std::move(detector), options);
}

}  // namespace fovea
