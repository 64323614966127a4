#include "pipeline/sources/glob.hpp"

#include <cstddef>
#include <span>

namespace fovea {
namespace {

// The end of a [set] that starts at pattern[0] == '[', or npos where the bracket is an ordinary character.
std::size_t set_end(std::string_view pattern) {
  std::size_t i = 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;
  return pattern.find(']', i);
}

bool in_set(std::string_view set, char c) {  // set without its brackets
  const bool inverted = !set.empty() && (set[0] == '!' || set[0] == '^');
  if (inverted) set.remove_prefix(1);
  const auto byte = static_cast<unsigned char>(c);
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto low = static_cast<unsigned char>(set[i]);
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (low <= byte && byte <= static_cast<unsigned char>(set[i + 2]));
      i += 2;
    } else {
      found = found || low == byte;
    }
  }
  return found != inverted;
}

// Matches one pattern element at the front of `pattern` against `c`; gives its length, 0 for no match.
std::size_t match_one(std::string_view pattern, char c) {
  if (pattern.empty()) return 0;
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    if (const std::size_t end = set_end(pattern); end != std::string_view::npos)
      return in_set(pattern.substr(1, end - 1), c) ? end + 1 : 0;
  }
  if (pattern[0] == '\\' && pattern.size() > 1) return pattern[1] == c ? 2 : 0;
  return pattern[0] == c ? 1 : 0;
}

using View = std::span<const std::string>;

bool match_components(View pattern, View path, bool prefix) {
  if (path.empty() && prefix) return !pattern.empty();
  if (pattern.empty()) return path.empty();
  if (pattern[0] == "**") {
    if (match_components(pattern.subspan(1), path, prefix)) return true;
    return !path.empty() && path[0][0] != '.' && match_components(pattern, path.subspan(1), prefix);
  }
  return !path.empty() && component_matches(pattern[0], path[0]) && match_components(pattern.subspan(1), path.subspan(1), prefix);
}

}  // namespace

bool has_wildcards(std::string_view text) { return text.find_first_of("*?[{") != std::string_view::npos; }

std::vector<std::string> expand_braces(const std::string& pattern) {
  const std::size_t open = pattern.find('{');
  if (open == std::string::npos) return {pattern};
  std::vector<std::size_t> cuts{open};
  int depth = 0;
  std::size_t close = open;
  for (; close < pattern.size(); ++close) {
    if (pattern[close] == '{') ++depth;
    if (pattern[close] == ',' && depth == 1) cuts.push_back(close);
    if (pattern[close] == '}' && --depth == 0) break;
  }
  if (close == pattern.size() || cuts.size() < 2) return {pattern};
  cuts.push_back(close);
  std::vector<std::string> all;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    const std::string part = pattern.substr(cuts[i] + 1, cuts[i + 1] - cuts[i] - 1);
    for (std::string& one : expand_braces(pattern.substr(0, open) + part + pattern.substr(close + 1)))
      all.push_back(std::move(one));
  }
  return all;
}

bool component_matches(std::string_view pattern, std::string_view name) {
  if (!name.empty() && name[0] == '.' && (pattern.empty() || pattern[0] != '.')) return false;
  // One star is remembered at a time: linear in the name for each star, never exponential.
  std::string_view star_pattern, star_name;
  bool star = false;
  while (true) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      star = true, star_pattern = pattern, star_name = name;
      continue;
    }
    if (name.empty()) return pattern.empty();
    if (const std::size_t length = match_one(pattern, name[0])) {
      pattern.remove_prefix(length);
      name.remove_prefix(1);
      continue;
    }
    if (!star || star_name.empty()) return false;
    star_name.remove_prefix(1);
    pattern = star_pattern, name = star_name;
  }
}

bool path_matches(const Components& pattern, const Components& path) { return match_components(pattern, path, false); }

bool path_may_lead_to_match(const Components& pattern, const Components& path) { return match_components(pattern, path, true); }

}  // namespace fovea
