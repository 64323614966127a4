#include "pipeline/tasks/detect/box_origin.hpp"

#include <cmath>
#include <limits>

namespace fovea {
namespace {

constexpr double kOverlap = 0.5;

Box box_of(const cv::Rect& r) {
  return {double(r.x), double(r.y), double(r.x) + double(r.width), double(r.y) + double(r.height)};
}

double rank_of(double overlap, float logit) {
  const double probability = 1 / (1 + std::exp(-static_cast<double>(logit)));
  return overlap >= kOverlap ? 1 + probability : overlap * probability;
}

}  // namespace

Look::Look(const Model& model, const cv::Mat& picture, const cv::Rect& window, bool mirrored)
    : window_(window),
      mirrored_(mirrored),
      in_(preprocess(turned(picture(window)), model.preprocess())),
      grid_(detect_head(model).coding(), static_cast<std::int64_t>(model.classes().size()), in_.tensor.dim(2), in_.tensor.dim(3)),
      said_(model.run(in_.tensor, {}).outputs, grid_) {}

Box Look::box(std::int64_t prediction) const {
  return to_box(grid_.decode(grid_.places()[static_cast<std::size_t>(prediction)], said_.box(0, prediction)));
}

Box Look::on_input(Box b) const {
  b = {b.x1 - window_.x, b.y1 - window_.y, b.x2 - window_.x, b.y2 - window_.y};
  if (mirrored_) b = {window_.width - b.x2, b.y1, window_.width - b.x1, b.y2};
  return to_network(b, in_.geometry);
}

cv::Mat Look::placed(const explain::Map& map, cv::Size picture) const {
  cv::Mat heat(picture, CV_32F, cv::Scalar(std::numeric_limits<float>::quiet_NaN()));
  turned(place_map(map, in_.geometry)).copyTo(heat(window_));
  return heat;
}

cv::Mat Look::turned(const cv::Mat& pixels) const {
  if (!mirrored_) return pixels;
  cv::Mat other;
  cv::flip(pixels, other, 1);
  return other;
}

Looks::Looks(const Detector& detector, const cv::Mat& picture)
    : detector_(detector), picture_(picture), places_{cv::Rect({}, picture.size())} {
  for (const cv::Rect& window : detector.windows(picture.size())) places_.push_back(window);
  taken_.resize(2 * places_.size());
}

Looks::Origin Looks::of(const Detection& d) {
  Origin best;
  const auto share = [&](std::size_t place) { return intersection(d.box, box_of(places_[place])) / d.box.area(); };
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (share(i) >= kOverlap) improve(best, d, i);
  for (std::size_t i = 0; i < places_.size() && best.rank <= 1; ++i)
    if (share(i) > 0 && share(i) < kOverlap) improve(best, d, i);
  check(best.look, "detect: no prediction of its class overlaps the box to explain");
  return best;
}

void Looks::improve(Origin& best, const Detection& d, std::size_t place) {
  for (const bool mirrored : {false, true}) {
    if (mirrored && !detector_.options().flip) continue;
    const Look& here = look(place, mirrored);
    const Box box = here.on_input(d.box);
    for (std::int64_t i = 0; i < here.grid().size(); ++i)
      if (const double rank = rank_of(iou(here.box(i), box), here.logit(i, d.label)); rank > best.rank) best = {&here, i, rank};
  }
}

const Look& Looks::look(std::size_t place, bool mirrored) {
  std::unique_ptr<Look>& taken = taken_[2 * place + (mirrored ? 1 : 0)];
  if (!taken) taken = std::make_unique<Look>(detector_.model(), picture_, places_[place], mirrored);
  return *taken;
}

}  // namespace fovea
