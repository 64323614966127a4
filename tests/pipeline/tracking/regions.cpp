#include "pipeline/tracking/regions.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;
using test::fails_with;
using test::message_of;

namespace {

const cv::Size kPicture{640, 480};
const std::string kDoor = "door:100,400,520,400", kQueue = "queue:0%,50%;40%,50%;40%,100%;0%,100%";

bool line_refused(const std::string& text, const std::string& message) {
  INFO(text);
  return fails_with([&] { parse_line(text).on(kPicture); }, message);
}
bool zone_refused(const std::string& text, const std::string& message) {
  INFO(text);
  return fails_with([&] { parse_zone(text).on(kPicture); }, message);
}
Zone zone(std::vector<cv::Point2d> points) { return {"z", std::move(points)}; }

}  // namespace

TEST_CASE("regions: texts of lines and zones, in pixels and in shares", "[tracking]") {
  const Line door = parse_line(kDoor).on(kPicture);
  CHECK((door.name == "door" && door.a == cv::Point2d(100, 400) && door.b == cv::Point2d(520, 400)));
  const Line mixed = parse_line(" a: b : 0 , 12.5% ,100 %, -3.5e1 ").on(kPicture);
  CHECK((mixed.name == "a: b" && mixed.a == cv::Point2d(0, 60) && mixed.b == cv::Point2d(640, -35)));
  const Zone queue = parse_zone(kQueue).on(kPicture);
  CHECK(queue.name == "queue");
  CHECK(queue.points == std::vector<cv::Point2d>{{0, 240}, {256, 240}, {256, 480}, {0, 480}});
  CHECK(parse_zone("eins, zwei; drei:1,1;9,1;9,9").name == "eins, zwei; drei");
}

TEST_CASE("regions: texts that are wrong are repeated with what is wrong", "[tracking]") {
  CHECK(message_of([] { parse_line("door:1,2,3"); }) ==
        "line: expected name:x1,y1,x2,y2 in pixels or with %, got 'door:1,2,3': 3 coordinates");
  CHECK(line_refused("", "got '': no colon"));
  CHECK(line_refused("1,2,3,4", "no colon"));
  CHECK(line_refused(":1,2,3,4", "a name of 0 bytes"));
  CHECK(line_refused("  :1,2,3,4", "a name of 0 bytes"));
  CHECK(line_refused(std::string(101, 'n') + ":1,2,3,4", "a name of 101 bytes"));
  CHECK(line_refused("d:", "1 coordinates"));
  CHECK(line_refused("d:1,2,3,4,5", "5 coordinates"));
  CHECK(line_refused("d:1,2,3,", "'' is not a number"));
  CHECK(line_refused("d:1,2,3,4px", "'4px' is not a number"));
  CHECK(line_refused("d:1,2,3,+4", "'+4' is not a number"));
  CHECK(line_refused("d:1,2,3,0x10", "'0x10' is not a number"));
  CHECK(line_refused("d:1,2,3,%", "'%' is not a number"));
  CHECK(line_refused("d:1,2,3,4%%", "'4%%' is not a number"));
  CHECK(line_refused("d:1,2,3,nan", "'nan' is not within a million pixels"));
  CHECK(line_refused("d:1,2,3,inf", "'inf' is not within a million pixels"));
  CHECK(line_refused("d:1,2,3,1e999", "'1e999' is not a number"));
  CHECK(line_refused("d:1,2,3,1000001", "not within a million pixels"));
  CHECK(line_refused("d:1,2,3,101%", "'101%' is not from 0% to 100%"));
  CHECK(line_refused("d:1,2,3,-1%", "'-1%' is not from 0% to 100%"));
  CHECK(line_refused("d:1,2,3,nan%", "is not from 0% to 100%"));
  CHECK(line_refused("d:5,5,5,5", "line d: expected two points at least a pixel apart, got 5, 5 and 5, 5"));
  CHECK(line_refused("d\n:1,2,3,4", "got 'd?:1,2,3,4': a control character"));
  CHECK(line_refused("d\xff:1,2,3,4", "got 'd?:1,2,3,4': bytes that are not UTF-8"));
  CHECK(line_refused("d:1,2,3," + std::string(39, 'x') + "\xC3\xA4", "'" + std::string(39, 'x') + "' is not a number"));
  CHECK(message_of([] { parse_line(std::string(500, '\x80')); }).size() < 300);
  CHECK(line_refused(std::string(20000, 'x'), "of at most 16384 bytes, got 20000"));
  CHECK(message_of([] { parse_line(std::string(16000, 'x')); }).size() < 300);
  CHECK(zone_refused("z:1,1;2,2", "2 points"));
  CHECK(zone_refused("z:1,1;9,1;9", "point 3 has 1 coordinates"));
  CHECK(zone_refused("z:1,1;9,1;9,9;", "point 4 has 1 coordinates"));
  CHECK(zone_refused("z:1,1,9,1,9,9", "point 1 has 6 coordinates"));
  CHECK(zone_refused("z:1,1;5,5;9,9", "they all lie on one line"));
  CHECK(zone_refused("z:1,1;1,1;1,1", "they all lie on one line"));
  std::string many = "z:1,1";
  for (int i = 0; i < 1000; ++i) many += ";" + std::to_string(i) + ",9";
  CHECK(zone_refused(many, "1001 points"));
  CHECK(fails_with([] { parse_line(kDoor).on({0, 5}); }, "expected the size of a picture, got 0 x 5"));
}

TEST_CASE("regions: shapes made in a program are checked, too", "[tracking]") {
  const double nan = std::nan("");
  CHECK(fails_with([] { check_line({"", {0, 0}, {9, 9}}); }, "expected a name"));
  CHECK(fails_with([] { check_line({"a\xc3", {0, 0}, {9, 9}}); }, "of UTF-8"));
  CHECK(fails_with([] { check_line({"a\x7f", {0, 0}, {9, 9}}); }, "without control characters"));
  CHECK(fails_with([&] { check_line({"a", {nan, 0}, {9, 9}}); }, "points within"));
  CHECK(fails_with([&] { check_zone(zone({{0, 0}, {9, 0}, {9, nan}})); }, "points within"));
  CHECK(fails_with([&] { check_zone(zone({})); }, "3 to 1000 points, got 0"));
  check_zone(zone({{0, 0}, {10, 10}, {10, 0}, {0, 10}}));  // an hourglass
}

TEST_CASE("regions: sides and ways through a line", "[tracking]") {
  const Line line{"l", {0, 0}, {100, 0}};  // its right side is below
  CHECK((side_of(line, {500, 7}) == 7 && side_of(line, {-3, -2}) == -2));
  CHECK((passage(line, {50, -5}, {60, 5}) == 1 && passage(line, {60, 5}, {50, -5}) == -1));
  CHECK((passage(line, {50, -5}, {60, -1}) == 0 && passage(line, {50, 5}, {60, 1}) == 0));
  // Beside an end, through an end, along the line.
  CHECK((passage(line, {101, -5}, {101, 5}) == 0 && passage(line, {-1, 5}, {-1, -5}) == 0));
  CHECK((passage(line, {100, -5}, {100, 5}) == 1 && passage(line, {0, 5}, {0, -5}) == -1));
  CHECK((passage(line, {90, -10}, {110, 10}) == 1 && passage(line, {91, -10}, {111, 10}) == 0));
  CHECK((passage(line, {20, 0}, {80, 0}) == 0 && passage(line, {20, 0}, {20, 0}) == 0));
  // In pieces, with a stop on the line.
  CHECK(passage(line, {50, -5}, {50, 0}) + passage(line, {50, 0}, {50, 5}) == 1);
  CHECK(passage(line, {50, -5}, {50, 0}) + passage(line, {50, 0}, {50, -5}) == 0);
  CHECK(passage(line, {50, 5}, {50, 0}) + passage(line, {50, 0}, {50, 5}) == 0);
}

TEST_CASE("regions: the side of a way in pieces is that of its ends, seen from either end of the line", "[tracking]") {
  for (std::uint64_t i = 0; i < 500; ++i) {
    Random random(61, i);
    const auto point = [&] { return cv::Point2d(200 * random.uniform(), 200 * random.uniform()); };
    const Line line{"l", {-1e5, 300 * random.uniform()}, {1e5, 100 + 100 * random.uniform()}};
    const Line turned{"l", line.b, line.a};
    const cv::Point2d from = point();
    cv::Point2d at = from;
    int sum = 0;
    for (int k = 0; k < 10; ++k) {
      const cv::Point2d next = point();
      REQUIRE(passage(line, at, next) == -passage(line, next, at));
      REQUIRE(passage(turned, at, next) == -passage(line, at, next));
      sum += passage(line, at, next);
      at = next;
    }
    REQUIRE(sum == (side_of(line, at) >= 0) - (side_of(line, from) >= 0));
  }
}

TEST_CASE("regions: zones hold their border, and what crossing edges enclose an odd number of times", "[tracking]") {
  const Zone square = zone({{10, 10}, {20, 10}, {20, 20}, {10, 20}});
  for (const cv::Point2d p :
       {cv::Point2d(15, 15), {10, 10}, {20, 20}, {10, 20}, {20, 10}, {10, 15}, {15, 20}, {20, 15}, {15, 10}})
    CHECK(contains(square, p));
  for (const cv::Point2d p : {cv::Point2d(9, 10), {21, 20}, {15, 9.99}, {20.01, 15}, {5, 20}, {25, 10}})
    CHECK(!contains(square, p));
  CHECK(distance_to_border(square, {15, 14}) == 4);
  CHECK(distance_to_border(square, {23, 24}) == 5);
  const Zone hourglass = zone({{0, 0}, {10, 10}, {10, 0}, {0, 10}});
  CHECK((contains(hourglass, {1, 5}) && contains(hourglass, {9, 5}) && !contains(hourglass, {5, 1}) &&
         !contains(hourglass, {5, 9})));
  const Zone star = zone({{50, 0}, {80, 95}, {0, 35}, {100, 35}, {20, 95}});  // its middle is enclosed twice
  CHECK((!contains(star, {50, 55}) && contains(star, {50, 20}) && contains(star, {15, 40})));
  const Zone notched = zone({{0, 0}, {10, 0}, {10, 10}, {5, 5}, {0, 10}});
  CHECK((!contains(notched, {5, 8}) && contains(notched, {1, 5}) && contains(notched, {5, 5})));
}

TEST_CASE("regions: any text gives a region or an error", "[tracking][fuzz]") {
  const std::vector<std::string> seeds{kDoor, kQueue, "a:b:0,12.5%,100%,-3e1", "z:1,1;9,1;9,9", "\xC3\xA4:1,2,3,4"};
  const auto reads = [](const std::string& text) {
    std::string refused;
    try {
      check_line(parse_line(text).on(kPicture));
    } catch (const Error& e) { refused = e.what(); }
    REQUIRE(refused.size() < 600);
    REQUIRE(is_utf8(refused));
    try {
      const Zone z = parse_zone(text).on(kPicture);
      REQUIRE(std::isfinite(distance_to_border(z, {5, 5})));
    } catch (const Error& e) { refused = e.what(); }
    REQUIRE(is_utf8(refused));
  };
  for (const std::string& seed : seeds)
    for (std::size_t length = 0; length < seed.size(); ++length) reads(seed.substr(0, length));
  test::fuzz("regions", seeds, reads);
}
