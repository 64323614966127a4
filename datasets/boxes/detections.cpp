#include "datasets/boxes/detections.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {

nlohmann::ordered_json to_json(const Detections& detections, const std::vector<std::string>& classes) {
  auto all = nlohmann::ordered_json::array();
  for (const Detection& d : detections) {
    check(d.label >= 0 && static_cast<std::size_t>(d.label) < classes.size(), "detections: expected a label below ",
          classes.size(), ", got ", d.label);
    for (const double v : {d.score, d.box.x1, d.box.y1, d.box.x2, d.box.y2})
      check(std::isfinite(v), "detections: a number is not finite");
    all.push_back({{"class", classes[static_cast<std::size_t>(d.label)]},
                   {"index", d.label},
                   {"score", d.score},
                   {"box", {d.box.x1, d.box.y1, d.box.x2, d.box.y2}}});
  }
  return all;
}

Detections detections_from(const JsonValue& json, const std::vector<std::string>& classes) {
  Detections all;
  for (const JsonValue& one : json.items()) {
    const std::string name = one.at("class").text();
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) one.at("class").wrong("one of the model's classes");
    const auto corners = one.at("box").items();
    if (corners.size() != 4) one.at("box").wrong("four numbers");
    const double score = one.at("score").number();
    if (score < 0 || score > 1) one.at("score").wrong("a number from 0 to 1");
    all.push_back(
        {{corners[0].number(), corners[1].number(), corners[2].number(), corners[3].number()}, found - classes.begin(), score});
  }
  return all;
}

std::vector<cv::Rect> to_rects(const Detections& detections) {
  std::vector<cv::Rect> all;
  for (const Detection& d : detections) all.push_back(to_pixels(d.box));
  return all;
}

Detections from_rects(const std::vector<cv::Rect>& rects, std::int64_t label, double score) {
  Detections all;
  for (const cv::Rect& r : rects) all.push_back({to_box(cv::Rect2d(r)), label, score});
  return all;
}

}  // namespace fovea
