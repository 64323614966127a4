#include "pipeline/tracking/crossings.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "modules/core/error.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

constexpr std::size_t kMostRegions = 1000;
constexpr double kLeastBand = 1;  // pixel
constexpr double kLatest = 1e12;  // seconds

using Anchor = CrossingOptions::Anchor;
using Kind = CrossingEvent::Kind;
using Direction = CrossingEvent::Direction;

cv::Point2d anchor_of(const Box& b, Anchor anchor) {
  return {(b.x1 + b.x2) / 2, anchor == Anchor::bottom ? b.y2 : (b.y1 + b.y2) / 2};
}

}  // namespace

Crossings::Crossings(std::vector<std::string> classes, std::vector<Line> lines, std::vector<Zone> zones,
                     const CrossingOptions& options)
    : classes_(std::move(classes)), lines_(std::move(lines)), zones_(std::move(zones)), options_(options) {
  check(!classes_.empty(), "crossings: expected at least one class");
  for (const std::string& c : classes_) check(is_utf8(c), "crossings: a class's name is not UTF-8");
  check(lines_.size() + zones_.size() <= kMostRegions, "crossings: expected at most ", kMostRegions, " lines and zones, got ",
        lines_.size() + zones_.size());
  check(options_.hysteresis >= 0 && options_.hysteresis <= 1, "crossings: hysteresis: expected 0 to 1, got ",
        options_.hysteresis);
  std::set<std::string> names;
  const auto once = [&](const std::string& name) {
    check(names.insert(name).second, "crossings: two lines or zones are called '", name, "'");
  };
  const std::vector<std::int64_t> none(classes_.size(), 0);
  for (const Line& line : lines_) {
    check_line(line), once(line.name);
    line_counts_.push_back({line.name, none, none});
  }
  for (const Zone& zone : zones_) {
    check_zone(zone), once(zone.name);
    zone_counts_.push_back({zone.name, none, none, none, none, none});
  }
}

std::vector<CrossingEvent> Crossings::update(const std::vector<Track>& tracks, double seconds) {
  check_input(tracks, seconds);
  clock_ += std::max(seconds - last_seconds_.value_or(seconds), 0.0);
  last_seconds_ = seconds;
  for (auto& [id, path] : paths_) path.alive = false;
  Events events;
  for (const Track& track : tracks) follow(track, seconds, events);
  for (const auto& [id, path] : paths_)
    if (!path.alive) end(id, path, seconds, events);
  std::erase_if(paths_, [](const auto& entry) { return !entry.second.alive; });
  return events;
}

void Crossings::check_input(const std::vector<Track>& tracks, double seconds) const {
  check(std::abs(seconds) <= kLatest, "crossings: expected a time stamp within ", kLatest, " seconds, got ", seconds);
  for (const Track& t : tracks) {
    const Box& box = t.detection.box;
    const std::int64_t label = t.detection.label;
    check(label >= 0 && std::cmp_less(label, classes_.size()), "crossings: track ", t.id, ": expected one of ", classes_.size(),
          " classes, got ", label);
    check(is_valid(box), "crossings: track ", t.id, ": expected a box with a width and height, got ", box.x1, " ", box.y1, " ",
          box.x2, " ", box.y2);
  }
}

double Crossings::band(const Box& box) const { return std::max(options_.hysteresis * box.height(), kLeastBand); }

void Crossings::follow(const Track& track, double seconds, Events& events) {
  const auto found = paths_.find(track.id);
  if (found != paths_.end()) found->second.alive = true;
  if (!track.index) return;
  const cv::Point2d to = anchor_of(track.detection.box, options_.anchor);
  const bool begins = found == paths_.end();
  Path& path = begins ? paths_[track.id] : found->second;
  if (begins) path.at = to, path.lines.resize(lines_.size()), path.zones.resize(zones_.size());
  path.seen = clock_;
  const std::size_t before = events.size();
  for (std::size_t k = 0; k < lines_.size(); ++k) follow_line(k, path, track, to, events);
  for (std::size_t k = 0; k < zones_.size(); ++k) follow_zone(k, path, begins, track, to, events);
  for (std::size_t i = before; i < events.size(); ++i) events[i].seconds = seconds, events[i].track = track.id;
  path.at = to;
}

// Of their events the time and the track are filled in by follow().
void Crossings::follow_line(std::size_t k, Path& path, const Track& track, cv::Point2d to, Events& events) {
  OnLine& state = path.lines[k];
  state.net += passage(lines_[k], path.at, to);
  const double distance = side_of(lines_[k], to);
  if (std::abs(distance) <= band(track.detection.box)) return;
  const int side = distance > 0 ? 1 : -1;
  const bool crossed = state.side == -side && state.net * side > 0;
  state = {side, 0};
  if (!crossed) return;
  const auto label = static_cast<std::size_t>(track.detection.label);
  ++(side > 0 ? line_counts_[k].in : line_counts_[k].out)[label];
  events.push_back({0, Kind::cross, lines_[k].name, 0, classes_[label], side > 0 ? Direction::in : Direction::out});
}

void Crossings::follow_zone(std::size_t k, Path& path, bool begins, const Track& track, cv::Point2d to, Events& events) {
  InZone& state = path.zones[k];
  ZoneCounts& counts = zone_counts_[k];
  const bool within = contains(zones_[k], to);
  if (!state.inside && within) {
    state = {true, clock_, static_cast<std::size_t>(track.detection.label)};
    ++(begins ? counts.appeared : counts.entered)[state.label];
    ++counts.inside[state.label], ++counts.visits;
    events.push_back({0, begins ? Kind::appear : Kind::enter, zones_[k].name, 0, classes_[state.label]});
  } else if (state.inside && !within && distance_to_border(zones_[k], to) > band(track.detection.box)) {
    state.inside = false;
    ++counts.left[state.label], --counts.inside[state.label];
    finish_visit(k, clock_ - state.since);
    events.push_back({0, Kind::leave, zones_[k].name, 0, classes_[state.label], {}, clock_ - state.since});
  }
}

void Crossings::end(std::int64_t id, const Path& path, double seconds, Events& events) {
  for (std::size_t k = 0; k < zones_.size(); ++k) {
    const InZone& state = path.zones[k];
    if (!state.inside) continue;
    ZoneCounts& counts = zone_counts_[k];
    const double dwell = path.seen - state.since;
    ++counts.vanished[state.label], --counts.inside[state.label];
    finish_visit(k, dwell);
    events.push_back({seconds, Kind::vanish, zones_[k].name, id, classes_[state.label], {}, dwell});
  }
}

void Crossings::finish_visit(std::size_t k, double seconds) {
  zone_counts_[k].dwell_seconds += seconds;
  zone_counts_[k].longest_seconds = std::max(zone_counts_[k].longest_seconds, seconds);
}

std::vector<LineCounts> Crossings::line_counts() const { return line_counts_; }

std::vector<ZoneCounts> Crossings::zone_counts() const {
  std::vector<ZoneCounts> out = zone_counts_;
  for (const auto& [id, path] : paths_)
    for (std::size_t k = 0; k < zones_.size(); ++k) {
      if (!path.zones[k].inside) continue;
      const double seconds = path.seen - path.zones[k].since;
      out[k].dwell_seconds += seconds;
      out[k].longest_seconds = std::max(out[k].longest_seconds, seconds);
    }
  return out;
}

}  // namespace fovea
