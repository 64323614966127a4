#include <array>
#include <cmath>
#include <numeric>

#include "pipeline/tracking/crossings.hpp"

namespace fovea {
namespace {

using nlohmann::ordered_json;

double rounded(double seconds) { return std::round(seconds * 1e3) / 1e3; }

ordered_json by_class(const std::vector<std::int64_t>& counts, const std::vector<std::string>& classes) {
  ordered_json out{{"total", std::accumulate(counts.begin(), counts.end(), std::int64_t{0})},
                   {"classes", ordered_json::object()}};
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (counts[c] > 0) out["classes"][classes[c]] = counts[c];
  return out;
}

}  // namespace

ordered_json to_json(const CrossingEvent& e) {
  constexpr std::array kKinds{"cross", "enter", "leave", "appear", "vanish"};
  ordered_json out{{"seconds", rounded(e.seconds)},
                   {"kind", kKinds[static_cast<std::size_t>(e.kind)]},
                   {"name", e.name},
                   {"track", e.track},
                   {"class", e.label}};
  if (e.direction) out["direction"] = *e.direction == CrossingEvent::Direction::in ? "in" : "out";
  if (e.dwell) out["dwell"] = rounded(*e.dwell);
  return out;
}

ordered_json Crossings::json() const {
  ordered_json lines = ordered_json::array(), zones = ordered_json::array();
  for (const LineCounts& c : line_counts())
    lines.push_back({{"name", c.name}, {"in", by_class(c.in, classes_)}, {"out", by_class(c.out, classes_)}});
  for (const ZoneCounts& c : zone_counts()) {
    const double mean = c.visits > 0 ? c.dwell_seconds / static_cast<double>(c.visits) : 0;
    zones.push_back({{"name", c.name},
                     {"inside", by_class(c.inside, classes_)},
                     {"entered", by_class(c.entered, classes_)},
                     {"appeared", by_class(c.appeared, classes_)},
                     {"left", by_class(c.left, classes_)},
                     {"vanished", by_class(c.vanished, classes_)},
                     {"visits", c.visits},
                     {"mean_seconds", rounded(mean)},
                     {"longest_seconds", rounded(c.longest_seconds)}});
  }
  return {{"lines", lines}, {"zones", zones}};
}

}  // namespace fovea
