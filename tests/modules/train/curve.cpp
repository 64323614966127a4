#include "modules/train/curve.hpp"

#include <algorithm>
#include <limits>

#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

// Tags open and close in order, attributes are quoted, no number is missing: enough for what the curve is made of.
bool well_formed(const std::string& svg) {
  std::vector<std::string> open;
  for (std::size_t at = svg.find('<'); at != std::string::npos; at = svg.find('<', at + 1)) {
    const std::size_t end = svg.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = svg.substr(at + 1, end - at - 1), name = tag.substr(tag[0] == '/', tag.find(' ') - (tag[0] == '/'));
    if (std::count(tag.begin(), tag.end(), '"') % 2) return false;
    if (tag.back() == '/') continue;
    if (tag[0] != '/') open.push_back(name);
    else if (open.empty() || open.back() != name) return false;
    else open.pop_back();
  }
  return open.empty() && svg.find("nan") == std::string::npos && svg.find("inf\"") == std::string::npos &&
         svg.find("inf,") == std::string::npos && svg.find(",inf") == std::string::npos;
}

std::size_t points(const std::string& svg, const std::string& colour) {
  const auto line = svg.find("stroke=\"" + colour + "\"");
  const auto from = svg.find("points=\"", line), to = svg.find('"', from + 8);
  const std::string text = svg.substr(from, to - from);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), ','));
}

}  // namespace

TEST_CASE("curve: well-formed with nothing, one point, equal points and many") {
  std::vector<nlohmann::json> records;
  CHECK(well_formed(training_curve(records)));
  records.push_back({{"step", 10}, {"loss", 0.5}});
  CHECK(well_formed(training_curve(records)));
  records.push_back({{"step", 20}, {"loss", 0.5}});
  records.push_back({{"step", 20}, {"score", 30.5}, {"psnr_y", {{"Set5", 30.5}}}});
  const std::string few = training_curve(records);
  CHECK(well_formed(few));
  CHECK(points(few, "#1f77b4") == 2);
  CHECK(points(few, "#d62728") == 1);
  for (int k = 3; k < 500; ++k) records.push_back({{"step", 10 * k}, {"loss", 1.0 / k}});
  const std::string many = training_curve(records);
  CHECK(well_formed(many));
  CHECK(points(many, "#1f77b4") == 499);
}

TEST_CASE("curve: a loss of zero and a perfect score are left out, not drawn at infinity") {
  const std::vector<nlohmann::json> records{{{"step", 1}, {"loss", 0.0}},
                                            {{"step", 2}, {"loss", 0.1}},
                                            {{"step", 3}, {"score", std::numeric_limits<double>::infinity()}},
                                            {{"step", 4}, {"score", nullptr}},
                                            {{"step", 5}, {"score", 31.0}}};
  const std::string svg = training_curve(records);
  CHECK(well_formed(svg));
  CHECK(points(svg, "#1f77b4") == 1);
  CHECK(points(svg, "#d62728") == 1);
}
