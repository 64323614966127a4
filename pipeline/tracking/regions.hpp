// Lines and zones of a picture, in its pixels (as boxes have them), and how people write them:
//   a line  name:x1,y1,x2,y2      "door:100,400,520,400"
//   a zone  name:x,y;x,y;x,y...   "queue:0%,50%;40%,50%;40%,100%;0%,100%"
// A number is in pixels; with a percent sign it is a share of the picture's width or height, from 0% to 100%. Both may stand in
// one text. Blanks around numbers and names do not count. The name is what stands before the last colon.
#pragma once

#include <array>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace fovea {

inline constexpr double kFarthestPoint = 1e6;  // pixels
inline constexpr std::size_t kLongestRegionName = 100, kMostZonePoints = 1000;

// Looking from a to b, it has a left and a right side, as on the screen: y points down.
struct Line {
  std::string name;
  cv::Point2d a, b;
};

// A polygon, closed by an edge from the last point to the first. Where edges cross, what is inside an even number of times is
// outside.
struct Zone {
  std::string name;
  std::vector<cv::Point2d> points;
};

// A point of a picture whose size is not known yet.
struct RegionCorner {
  double x = 0, y = 0;
  bool x_relative = false, y_relative = false;  // then 0..1

  cv::Point2d on(cv::Size picture) const;
};
struct LineText {
  std::string name;
  std::array<RegionCorner, 2> ends;

  Line on(cv::Size picture) const;  // as check_line
};
struct ZoneText {
  std::string name;
  std::vector<RegionCorner> corners;

  Zone on(cv::Size picture) const;  // as check_zone
};

// Error that repeats the text and says what is wrong with it: more than 16384 bytes, not UTF-8, control characters, no name or
// too long a one, a wrong number of coordinates or points, not a number, out of range.
LineText parse_line(const std::string& text);
ZoneText parse_zone(const std::string& text);

// Error for names that are empty, too long, not UTF-8 or hold control characters; for points that are too far; for a line
// shorter than a pixel; for a zone of less than 3 or too many points, or with all of them on one line.
void check_line(const Line& line);
void check_zone(const Zone& zone);

// Distance from the endless line through both points; positive on the right side.
double side_of(const Line& line, cv::Point2d p);
// How the way from p to q passes the line: 1 from the left to the right side, -1 back, 0 not at all or beside its ends. The
// ends belong to the line; of sides the line itself counts as the right one, so that a way in pieces passes as often as the
// whole.
int passage(const Line& line, cv::Point2d p, cv::Point2d q);
// The border belongs to the zone.
bool contains(const Zone& zone, cv::Point2d p);
double distance_to_border(const Zone& zone, cv::Point2d p);

}  // namespace fovea
