#include "modules/nn/args.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace fovea {
namespace {

template <class T>
T parse(const std::string& where, const std::string& name, const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size(), where, ": ", name, ": expected a number, got '", text, "'");
  check(std::isfinite(static_cast<double>(value)), where, ": ", name, ": expected a finite number, got '", text, "'");
  return value;
}

}  // namespace

const std::string* Args::find(const std::string& name, const std::string& fallback, const std::string& text) {
  described_.push_back({name, fallback, text});
  check(!nested_.count(name) && !lists_.count(name), where_, ": ", name, ": expected one value, got a list or a mapping");
  if (const auto it = values_.find(name); it != values_.end()) return &it->second;
  const auto it = suggested_.find(name);
  return it == suggested_.end() ? nullptr : &it->second;
}

namespace {

// An option's range is part of its description.
std::string with(const std::string& text, Args::Range range) {
  return fmt::format("{} ({} to {})", text, range.least, range.most);
}

}  // namespace

int Args::whole(const std::string& name, const std::string& text, Range range) const {
  const int value = parse<int>(where_, name, text);
  check(value >= range.least && value <= range.most, where_, ": ", name, ": expected a whole number from ",
        fmt::format("{} to {}", range.least, range.most), ", got ", value);
  return value;
}

int Args::get(const std::string& name, int fallback, const std::string& text) {
  const std::string* given = find(name, std::to_string(fallback), text);
  return given ? whole(name, *given, bound_) : fallback;
}

int Args::get(const std::string& name, int fallback, const std::string& text, Range range) {
  const std::string* given = find(name, std::to_string(fallback), with(text, range));
  return given ? whole(name, *given, range) : fallback;
}

double Args::get(const std::string& name, double fallback, const std::string& text) {
  const std::string* given = find(name, fmt::format("{}", fallback), text);
  return given ? parse<double>(where_, name, *given) : fallback;
}

double Args::get(const std::string& name, double fallback, const std::string& text, Range range) {
  const double value = get(name, fallback, with(text, range));
  check(value >= range.least && value <= range.most, where_, ": ", name, ": expected a number from ",
        fmt::format("{} to {}", range.least, range.most), ", got ", value);
  return value;
}

bool Args::get(const std::string& name, bool fallback, const std::string& text) {
  const std::string* given = find(name, fallback ? "true" : "false", text);
  if (!given) return fallback;
  check(*given == "true" || *given == "false", where_, ": ", name, ": expected true or false, got '", *given, "'");
  return *given == "true";
}

std::string Args::get(const std::string& name, const char* fallback, const std::string& text) {
  const std::string* given = find(name, fallback, text);
  return given ? *given : fallback;
}

std::vector<std::string> Args::list(const std::string& name, const std::vector<std::string>& fallback, const std::string& text) {
  described_.push_back({name, fmt::format("[{}]", fmt::join(fallback, ", ")), text});
  check(!nested_.count(name), where_, ": ", name, ": expected a list of plain values");
  if (const auto it = lists_.find(name); it != lists_.end()) return it->second;
  if (const auto it = values_.find(name); it != values_.end()) return {it->second};
  if (const auto it = suggested_.find(name); it != suggested_.end()) return {it->second};
  return fallback;
}

std::vector<int> Args::list(const std::string& name, const std::vector<int>& fallback, const std::string& text, Range range) {
  const Range before = std::exchange(bound_, range);
  auto out = list(name, fallback, with(text, range));
  bound_ = before;
  return out;
}

std::vector<int> Args::list(const std::string& name, const std::vector<int>& fallback, const std::string& text) {
  std::vector<std::string> shown;
  for (const int v : fallback) shown.push_back(std::to_string(v));
  std::vector<int> out;
  for (const std::string& v : list(name, shown, text)) out.push_back(whole(name, v, bound_));
  return out;
}

std::vector<double> Args::numbers(const std::string& name, const std::vector<double>& fallback, const std::string& text) {
  std::vector<std::string> shown;
  for (const double v : fallback) shown.push_back(fmt::format("{}", v));
  std::vector<double> out;
  for (const std::string& v : list(name, shown, text)) out.push_back(parse<double>(where_, name, v));
  return out;
}

int Args::require(const std::string& name, const std::string& text) {
  const std::string* given = find(name, "required", text);
  check(given != nullptr, where_, ": ", name, " is missing (", text, ")");
  return whole(name, *given, bound_);
}

void Args::done() const {
  std::vector<std::string> known;
  for (const Described& d : described_) known.push_back(d.name);
  std::vector<std::string> given(nested_.begin(), nested_.end());
  for (const auto& [name, value] : values_) given.push_back(name);
  for (const auto& [name, value] : lists_) given.push_back(name);
  for (const std::string& name : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string message = where_ + ": unknown option '" + name + "'";
    if (const std::string near = nearest(name, known); !near.empty()) message += "; did you mean '" + near + "'?";
    else
      for (std::size_t i = 0; i < known.size(); ++i) message += (i ? ", " : "; there are ") + known[i];
    fail(message);
  }
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 2;
  for (const std::string& c : candidates) {
    std::vector<std::size_t> row(c.size() + 1);
    for (std::size_t j = 0; j <= c.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= c.size(); ++j)
        diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (word[i - 1] != c[j - 1])}));
    }
    if (row.back() < best_distance) best_distance = row.back(), best = c;
  }
  return best;
}

}  // namespace fovea
