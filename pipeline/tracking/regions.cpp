#include "pipeline/tracking/regions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

constexpr double kTouches = 1e-9;  // pixels, and of a line's length

double cross(cv::Point2d a, cv::Point2d b) { return a.x * b.y - a.y * b.x; }
double length(cv::Point2d a) { return std::hypot(a.x, a.y); }

double distance_to_edge(cv::Point2d a, cv::Point2d b, cv::Point2d p) {
  const cv::Point2d along = b - a;
  const double squared = along.dot(along);
  const double t = squared > 0 ? std::clamp((p - a).dot(along) / squared, 0.0, 1.0) : 0;
  return length(p - (a + t * along));
}

void check_name(const char* what, const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 32 || c == 127; });
  check(!name.empty() && name.size() <= kLongestRegionName && !control && is_utf8(name), what, ": expected a name of 1 to ",
        kLongestRegionName, " bytes of UTF-8 without control characters, got ", name.size(), " bytes");
}

void check_point(const char* what, const std::string& name, cv::Point2d p) {
  check(std::abs(p.x) <= kFarthestPoint && std::abs(p.y) <= kFarthestPoint, what, " ", name, ": expected points within ",
        kFarthestPoint, " pixels, got ", p.x, ", ", p.y);
}

}  // namespace

void check_line(const Line& line) {
  check_name("line", line.name);
  check_point("line", line.name, line.a), check_point("line", line.name, line.b);
  check(length(line.b - line.a) >= 1, "line ", line.name, ": expected two points at least a pixel apart, got ", line.a.x, ", ",
        line.a.y, " and ", line.b.x, ", ", line.b.y);
}

void check_zone(const Zone& zone) {
  check_name("zone", zone.name);
  const auto& points = zone.points;
  check(points.size() >= 3 && points.size() <= kMostZonePoints, "zone ", zone.name, ": expected 3 to ", kMostZonePoints,
        " points, got ", points.size());
  for (const cv::Point2d& p : points) check_point("zone", zone.name, p);
  cv::Point2d far = points[0];
  for (const cv::Point2d& p : points)
    if (length(p - points[0]) > length(far - points[0])) far = p;
  const Line base{zone.name, points[0], far};
  const bool wide = length(far - points[0]) >= 1 &&
                    std::any_of(points.begin(), points.end(), [&](cv::Point2d p) { return std::abs(side_of(base, p)) >= 0.5; });
  check(wide, "zone ", zone.name, ": expected points around an area, but they all lie on one line");
}

double side_of(const Line& line, cv::Point2d p) {
  const cv::Point2d along = line.b - line.a;
  return cross(along, p - line.a) / length(along);
}

int passage(const Line& line, cv::Point2d p, cv::Point2d q) {
  const double before = side_of(line, p), after = side_of(line, q);
  if ((before >= 0) == (after >= 0)) return 0;
  const cv::Point2d at = p + (q - p) * (before / (before - after)), along = line.b - line.a;
  const double t = (at - line.a).dot(along) / along.dot(along);
  if (t < -kTouches || t > 1 + kTouches) return 0;
  return after >= 0 ? 1 : -1;
}

bool contains(const Zone& zone, cv::Point2d p) {
  bool inside = false;
  for (std::size_t i = 0, n = zone.points.size(); i < n; ++i) {
    const cv::Point2d a = zone.points[i], b = zone.points[(i + 1) % n];
    if ((a.y > p.y) != (b.y > p.y) && p.x < a.x + (b.x - a.x) * (p.y - a.y) / (b.y - a.y)) inside = !inside;
  }
  return inside || distance_to_border(zone, p) <= kTouches;
}

double distance_to_border(const Zone& zone, cv::Point2d p) {
  double nearest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0, n = zone.points.size(); i < n; ++i)
    nearest = std::min(nearest, distance_to_edge(zone.points[i], zone.points[(i + 1) % n], p));
  return nearest;
}

}  // namespace fovea
