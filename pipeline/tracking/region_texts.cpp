// The texts of lines and zones.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "modules/core/error.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/tracking/regions.hpp"

namespace fovea {
namespace {

constexpr std::size_t kLongestText = 16384;

bool is_control(unsigned char c) { return c < 32 || c == 127; }

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(' ');
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(' ') - from + 1);
}

// Its beginning, without half a character.
std::string_view shortened(std::string_view text, std::size_t most) {
  std::size_t end = std::min(text.size(), most);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// What stands before and behind the last colon; messages repeat the text, as far as a terminal can show it.
class Text {
 public:
  Text(const char* what, const char* form, const std::string& text) : what_(what), form_(form), text_(text) {
    check(text.size() <= kLongestText, what, ": expected ", form, " of at most ", kLongestText, " bytes, got ", text.size());
    expect(is_utf8(text), "bytes that are not UTF-8");
    expect(std::none_of(text.begin(), text.end(), is_control), "a control character");
    const auto colon = text.rfind(':');
    expect(colon != std::string::npos, "no colon");
    name_ = trimmed(std::string_view(text).substr(0, colon));
    expect(!name_.empty() && name_.size() <= kLongestRegionName, "a name of ", name_.size(), " bytes");
    rest_ = std::string_view(text).substr(colon + 1);
  }

  std::string name() const { return std::string(name_); }
  std::string_view rest() const { return rest_; }

  template <class... Parts>
  void expect(bool condition, const Parts&... found) const {
    if (!condition) fail(what_, ": expected ", form_, ", got '", shown(), "': ", found...);
  }

  // A number and whether it is a share.
  std::pair<double, bool> number(std::string_view word) const {
    word = trimmed(word);
    const bool share = word.ends_with('%');
    const std::string_view digits = share ? trimmed(word.substr(0, word.size() - 1)) : word;
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    expect(whole, "'", shortened(word, 40), "' is not a number");
    expect(share ? value >= 0 && value <= 100 : std::abs(value) <= kFarthestPoint, "'", shortened(word, 40), "' is not ",
           share ? "from 0% to 100%" : "within a million pixels");
    return {share ? value / 100 : value, share};
  }
  RegionCorner corner(std::string_view x, std::string_view y) const {
    const auto [x_value, x_share] = number(x);
    const auto [y_value, y_share] = number(y);
    return {x_value, y_value, x_share, y_share};
  }

 private:
  std::string shown() const {
    const bool utf8 = is_utf8(text_);
    std::string out(shortened(text_, 100));
    for (char& c : out)
      if (is_control(c) || (!utf8 && static_cast<unsigned char>(c) >= 128)) c = '?';
    return out + (out.size() < text_.size() ? "..." : "");
  }

  const char* what_;
  const char* form_;
  const std::string& text_;
  std::string_view name_, rest_;
};

void check_size(cv::Size picture) {
  check(picture.width > 0 && picture.height > 0, "regions: expected the size of a picture, got ", picture.width, " x ",
        picture.height);
}

}  // namespace

LineText parse_line(const std::string& given) {
  const Text text("line", "name:x1,y1,x2,y2 in pixels or with %", given);
  const auto words = split(text.rest(), ',');
  text.expect(words.size() == 4, words.size(), " coordinates");
  return {text.name(), {text.corner(words[0], words[1]), text.corner(words[2], words[3])}};
}

ZoneText parse_zone(const std::string& given) {
  const Text text("zone", "name:x,y;x,y;x,y with at least 3 points, in pixels or with %", given);
  ZoneText zone{text.name(), {}};
  for (const std::string_view point : split(text.rest(), ';')) {
    const auto words = split(point, ',');
    text.expect(words.size() == 2, "point ", zone.corners.size() + 1, " has ", words.size(), " coordinates");
    zone.corners.push_back(text.corner(words[0], words[1]));
  }
  text.expect(zone.corners.size() >= 3 && zone.corners.size() <= kMostZonePoints, zone.corners.size(), " points");
  return zone;
}

cv::Point2d RegionCorner::on(cv::Size picture) const {
  check_size(picture);
  return {x_relative ? x * picture.width : x, y_relative ? y * picture.height : y};
}

Line LineText::on(cv::Size picture) const {
  Line line{name, ends[0].on(picture), ends[1].on(picture)};
  check_line(line);
  return line;
}

Zone ZoneText::on(cv::Size picture) const {
  Zone zone{name, {}};
  for (const RegionCorner& c : corners) zone.points.push_back(c.on(picture));
  check_zone(zone);
  return zone;
}

}  // namespace fovea
