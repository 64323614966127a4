// Which tracks pass lines and stay in zones, counted by class. A track is where its anchor is, a point of the box that was
// detected; in frames in which it is not seen it is nowhere, and the way from where it was last seen counts as straight.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/tracking/regions.hpp"
#include "pipeline/tracking/tracker.hpp"

namespace fovea {

struct CrossingOptions {
  enum class Anchor { bottom, centre };  // bottom: the middle of the box's lower edge, where people stand
  Anchor anchor = Anchor::bottom;
  // What shakes less than this is no crossing: a share of the box's height, at least a pixel.
  double hysteresis = 0.05;
};

// cross: it was on one side of the line, farther away than the hysteresis, and is so on the other, and its way between went
//   through the line and not around an end. A track that begins or ends nearer to the line is not counted.
// enter: it was seen outside of the zone and is now in it. leave: it was in it and is now farther from it than the hysteresis.
//   What goes over a zone between two frames was never in it.
// appear: the track begins in the zone. vanish: it ends there, and was last seen `dwell` after its begin.
struct CrossingEvent {
  enum class Kind { cross, enter, leave, appear, vanish };
  enum class Direction { in, out };  // in: from the left to the right side, looking from a to b; out: back

  double seconds = 0;  // time stamp of the frame that shows it
  Kind kind = Kind::cross;
  std::string name;  // of the line or zone
  std::int64_t track = 0;
  std::string label;                        // the track's class; of a zone that with which it came in
  std::optional<Direction> direction = {};  // of cross
  std::optional<double> dwell = {};         // seconds in the zone: of leave and vanish
};

// Numbers of tracks by class. Of a zone inside = entered + appeared - left - vanished.
struct LineCounts {
  std::string name;
  std::vector<std::int64_t> in, out;
};
struct ZoneCounts {
  std::string name;
  std::vector<std::int64_t> entered, appeared, left, vanished, inside;
  std::int64_t visits = 0;  // entered + appeared, of all classes
  // Of all visits together, and of the longest. One that goes on counts up to where its track was last seen.
  double dwell_seconds = 0, longest_seconds = 0;
};

class Crossings {
 public:
  // Error for lines and zones that check_line and check_zone refuse, for two of one name, for more than 1000, for no classes,
  // for names of classes that are not UTF-8, for a hysteresis that is not 0 to 1.
  Crossings(std::vector<std::string> classes, std::vector<Line> lines, std::vector<Zone> zones,
            const CrossingOptions& options = {});

  // What a frame's tracks (all of Tracker::update's) do, in their order, then what has ended: the tracks that are missing. Time
  // that steps back counts as standing still. Error, and nothing has changed: a label that is no class, a box that is not
  // valid, a time stamp that is not within 10^12 seconds.
  std::vector<CrossingEvent> update(const std::vector<Track>& tracks, double seconds);

  std::vector<LineCounts> line_counts() const;
  std::vector<ZoneCounts> zone_counts() const;
  // {"lines": [{"name", "in": {"total", "classes": {"person": 3}}, "out"}], "zones": [{"name", "inside", "entered", "appeared",
  // "left", "vanished": likewise, "visits", "mean_seconds", "longest_seconds"}]}; of classes those that were counted.
  nlohmann::ordered_json json() const;

 private:
  struct OnLine {
    int side = 0;  // the last one that it was clearly on: -1 left, 1 right, 0 none yet
    int net = 0;   // passages since then
  };
  struct InZone {
    bool inside = false;
    double since = 0;  // on clock_
    std::size_t label = 0;
  };
  struct Path {
    cv::Point2d at;
    double seen = 0;  // on clock_
    std::vector<OnLine> lines;
    std::vector<InZone> zones;
    bool alive = true;
  };
  using Events = std::vector<CrossingEvent>;

  void check_input(const std::vector<Track>& tracks, double seconds) const;
  void follow(const Track& track, double seconds, Events& events);
  void follow_line(std::size_t k, Path& path, const Track& track, cv::Point2d to, Events& events);
  void follow_zone(std::size_t k, Path& path, bool begins, const Track& track, cv::Point2d to, Events& events);
  void end(std::int64_t id, const Path& path, double seconds, Events& events);
  void finish_visit(std::size_t k, double seconds);
  double band(const Box& box) const;

  std::vector<std::string> classes_;
  std::vector<Line> lines_;
  std::vector<Zone> zones_;
  CrossingOptions options_;
  std::vector<LineCounts> line_counts_;
  std::vector<ZoneCounts> zone_counts_;  // dwell: of visits that are over
  std::map<std::int64_t, Path> paths_;
  std::optional<double> last_seconds_;
  double clock_ = 0;
};

nlohmann::ordered_json to_json(const CrossingEvent& event);

}  // namespace fovea
