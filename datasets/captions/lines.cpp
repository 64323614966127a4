// Captions a line each, and lists of names.
#include <algorithm>

#include "datasets/boxes/reading.hpp"
#include "datasets/captions/collected.hpp"
#include "datasets/csv.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::string_view kCsvHeader = "image,caption";

// "a.jpg#3<TAB>A dog runs ."
void take_line(std::string_view line, CollectedCaptions& into) {
  const auto tab = line.find('\t');
  check(tab != std::string_view::npos, "expected NAME#NUMBER, a tab and a caption, got ", shown(line));
  const std::string_view key = line.substr(0, tab);
  into.caption(std::string(key.substr(0, key.rfind('#'))), std::string(line.substr(tab + 1)));
}

void take_row(std::string_view line, CollectedCaptions& into) {
  const Csv row = parse_csv(std::string(kCsvHeader) + "\n" + std::string(line), "the line");
  check(row.rows.size() == 1, "expected one line of CSV, got ", shown(line));
  into.caption(row.rows[0].fields[0], row.rows[0].fields[1]);
}

// Calls take(line), and leaves out the lines that it refuses.
template <class Take>
void each_line(std::string_view text, const std::string& where, CollectedCaptions& into, const Take& take) {
  std::size_t number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    if (!line.empty()) try {
        take(line);
      } catch (const std::exception& e) {
        into.leave_out(where + ":" + std::to_string(number) + ": " + bad_file(where, e).reason);
      }
  }
}

}  // namespace

void read_caption_lines(std::string_view text, const std::string& where, CollectedCaptions& into) {
  const std::size_t first = std::min(text.find('\n'), text.size());
  const bool csv = trimmed(text.substr(0, first)) == kCsvHeader;
  if (csv) text.remove_prefix(first);  // but for its end: lines keep their numbers
  each_line(text, where, into, [&](std::string_view line) { csv ? take_row(line, into) : take_line(line, into); });
}

void read_split_list(std::string_view text, const std::string& where, const std::string& split, CollectedCaptions& into) {
  each_line(text, where, into, [&](std::string_view line) { into.split(std::string(line), split); });
}

}  // namespace fovea
