#include "pipeline/tracking/tracker.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "pipeline/tracking/assignment.hpp"

namespace fovea {
namespace {

constexpr double kLongestPause = 10, kLatest = 1e12;  // seconds
constexpr double kFarthest = 1e7;                     // pixels
constexpr std::size_t kMostDetections = 1000, kMostTargets = 2000;

void check_share(const char* name, double value) {
  check(value >= 0 && value <= 1, "tracker: ", name, ": expected 0 to 1, got ", value);
}

bool is_near(const Box& b) { return std::max({std::abs(b.x1), std::abs(b.y1), std::abs(b.x2), std::abs(b.y2)}) <= kFarthest; }

}  // namespace

Tracker::Tracker(const TrackerOptions& options) : options_(options) {
  const TrackerOptions& o = options_;
  check_share("high_score", o.high_score), check_share("low_score", o.low_score), check_share("new_score", o.new_score);
  check_share("match_iou", o.match_iou), check_share("low_iou", o.low_iou), check_share("new_iou", o.new_iou);
  check_share("same_iou", o.same_iou);
  check(o.low_score <= o.high_score, "tracker: expected a low_score up to high_score, ", o.high_score, ", got ", o.low_score);
  check(o.keep_seconds >= 0 && o.keep_seconds <= 3600, "tracker: keep_seconds: expected 0 to 3600, got ", o.keep_seconds);
  check(o.confirm_hits >= 1, "tracker: confirm_hits: expected at least 1, got ", o.confirm_hits);
}

std::vector<Track> Tracker::update(const Detections& detections, double seconds) {
  check_input(detections, seconds);
  ++frame_;
  predict(advance(seconds));
  Indices known, unconfirmed, high, low;
  for (std::size_t i = 0; i < targets_.size(); ++i) (targets_[i].id > 0 ? known : unconfirmed).push_back(i);
  for (std::size_t i = 0; i < detections.size(); ++i)
    if (detections[i].score >= options_.low_score) (detections[i].score >= options_.high_score ? high : low).push_back(i);
  match(detections, known, high, options_.match_iou, Weight::score);
  // A weak box is evidence only where the object was a moment ago.
  std::erase_if(known, [&](std::size_t i) { return targets_[i].seen_frame < frame_ - 1; });
  match(detections, known, low, options_.low_iou, Weight::none);
  match(detections, unconfirmed, high, options_.new_iou, Weight::score);
  std::erase_if(targets_, [&](const Target& t) { return t.id == 0 && lost(t); });
  begin(detections, high);
  merge_same();
  return confirmed();
}

void Tracker::check_input(const Detections& detections, double seconds) const {
  check(std::abs(seconds) <= kLatest, "tracker: expected a time stamp within ", kLatest, " seconds, got ", seconds);
  std::size_t count = 0;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const Box& box = detections[i].box;
    const double score = detections[i].score;
    check(is_valid(box) && is_near(box), "tracker: detection ", i, ": expected a box with a width and a height, within ",
          kFarthest, " pixels, got ", box.x1, " ", box.y1, " ", box.x2, " ", box.y2);
    check(score >= 0 && score <= 1, "tracker: detection ", i, ": expected a score of 0 to 1, got ", score);
    count += score >= options_.low_score;
  }
  check(count <= kMostDetections, "tracker: expected at most ", kMostDetections, " detections in a frame, got ", count);
}

// The seconds that went by.
double Tracker::advance(double seconds) {
  const double step = seconds - last_seconds_.value_or(seconds);
  last_seconds_ = seconds;
  if (std::abs(step) > std::max(kLongestPause, options_.keep_seconds)) {
    targets_.clear();
    return 0;
  }
  clock_ += std::max(step, 0.0);
  return std::max(step, 0.0);
}

void Tracker::predict(double elapsed) {
  const auto was_lost = [&](const Target& t) { return t.seen_frame < frame_ - 1; };
  std::erase_if(targets_, [&](const Target& t) { return was_lost(t) && clock_ - t.seen > options_.keep_seconds; });
  for (Target& t : targets_) {
    if (was_lost(t)) t.filter.hold_size();
    t.filter.predict(elapsed);
    t.predicted = t.filter.box();
    t.index.reset();
  }
}

// Joins some of `targets` to some of the detections `open`, and takes both out of these.
void Tracker::match(const Detections& detections, Indices& targets, Indices& open, double least, Weight weight) {
  std::vector<PairCost> candidates;
  for (std::size_t row = 0; row < targets.size(); ++row) {
    const Target& t = targets_[targets[row]];
    for (std::size_t column = 0; column < open.size(); ++column) {
      const Detection& d = detections[open[column]];
      if (!may_be_one(t.last, d)) continue;
      const double similarity = iou(t.predicted, d.box) * (weight == Weight::score ? d.score : 1);
      if (similarity > least) candidates.push_back({row, column, -similarity});
    }
  }
  const auto columns = assign(targets.size(), open.size(), candidates, -least);
  constexpr std::size_t kTaken = std::numeric_limits<std::size_t>::max();
  for (std::size_t row = 0; row < targets.size(); ++row) {
    if (!columns[row]) continue;
    std::size_t& index = open[*columns[row]];
    see(targets_[targets[row]], detections[index], index);
    targets[row] = index = kTaken;
  }
  std::erase(targets, kTaken), std::erase(open, kTaken);
}

void Tracker::see(Target& t, const Detection& detection, std::size_t index) {
  t.filter.update(detection.box);
  t.predicted = t.filter.box();
  t.last = detection;
  t.seen = clock_, t.seen_frame = frame_;
  t.index = index;
  ++t.hits;
  if (t.id == 0 && t.hits >= options_.confirm_hits) t.id = ++last_id_;
}

void Tracker::begin(const Detections& detections, const Indices& open) {
  for (const std::size_t i : open) {
    const Detection& d = detections[i];
    if (d.score < options_.new_score || targets_.size() >= kMostTargets) continue;
    Target t{.filter = BoxFilter(d.box),
             .predicted = d.box,
             .last = d,
             .born = clock_,
             .seen = clock_,
             .born_frame = frame_,
             .seen_frame = frame_,
             .hits = 1,
             .index = i};
    if (options_.confirm_hits == 1) t.id = ++last_id_;
    targets_.push_back(std::move(t));
  }
}

// A track that began after another was lost, and lies where that one should be by now, is that one: it takes the older name.
void Tracker::merge_same() {
  for (Target& t : targets_) {
    if (lost(t)) continue;
    for (Target& older : targets_) {
      const bool apart = !lost(older) || older.seen_frame >= t.born_frame || !may_be_one(older.last, t.last);
      if (apart || older.hits == 0 || iou(older.predicted, t.predicted) <= options_.same_iou) continue;
      t.id = older.id;
      t.born = older.born, t.born_frame = older.born_frame;
      t.hits += older.hits;
      older.hits = 0;
    }
  }
  std::erase_if(targets_, [](const Target& t) { return t.hits == 0; });
}

std::vector<Track> Tracker::confirmed() const {
  std::vector<Track> out;
  for (const Target& t : targets_)
    if (t.id > 0) out.push_back({t.id, t.last, t.predicted, clock_ - t.born, t.hits, t.index});
  std::sort(out.begin(), out.end(), [](const Track& a, const Track& b) { return a.id < b.id; });
  return out;
}

}  // namespace fovea
