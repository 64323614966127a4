#include "modules/io/name_map.hpp"

#include <algorithm>
#include <set>

#include "modules/autograd/tap.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {
namespace {

constexpr std::size_t kLongest = 512, kMostStars = 9, kMostRules = 10000;

// Matching with captures. Positions that failed are remembered, so that no pattern takes more than |pattern| x |name| steps.
class Matcher {
 public:
  Matcher(const std::string& pattern, const std::string& name) : pattern_(pattern), name_(name) {}
  bool match(std::size_t i = 0, std::size_t j = 0) {
    if (i == pattern_.size()) return j == name_.size();
    if (!failed_.empty() && failed_.count({i, j})) return false;
    if (pattern_[i] != '*') return j < name_.size() && pattern_[i] == name_[j] && match(i + 1, j + 1);
    const bool deep = pattern_.compare(i, 2, "**") == 0;
    captures.emplace_back();
    const std::size_t mine = captures.size() - 1;
    for (std::size_t end = j; end <= name_.size() && (deep || end == j || name_[end - 1] != '.'); ++end) {
      captures.resize(mine + 1);
      captures[mine] = name_.substr(j, end - j);
      if (match(i + (deep ? 2 : 1), end)) return true;
    }
    captures.resize(mine);
    failed_.insert({i, j});
    return false;
  }
  std::vector<std::string> captures;

 private:
  const std::string &pattern_, &name_;
  std::set<std::pair<std::size_t, std::size_t>> failed_;
};

std::string filled(const std::string& to, const std::vector<std::string>& captures) {
  std::string out;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] != '$') {
      out += to[i];
      continue;
    }
    const int n = i + 1 < to.size() ? to[++i] - '0' : 0;
    check(n >= 1 && n <= static_cast<int>(captures.size()), "name map: '", to, "': '$' must be followed by 1 to ",
          captures.size());
    out += captures[static_cast<std::size_t>(n) - 1];
  }
  return out;
}

void check_rule(const NameRule& rule, const std::string& where) {
  std::size_t stars = 0;
  for (std::size_t i = 0; i < rule.from.size(); ++i)
    if (rule.from[i] == '*') ++stars, i += rule.from.compare(i, 2, "**") == 0;
  check(!rule.from.empty() && rule.from.size() <= kLongest && rule.to.size() <= kLongest && stars <= kMostStars, where,
        ": expected a pattern of 1 to ", kLongest, " characters with at most ", kMostStars, " stars");
  PathScope path(where);
  filled(rule.to, std::vector<std::string>(stars));
}

}  // namespace

std::vector<NameMap> name_maps_for(const std::string& backbone) {
  std::vector<NameMap> out;
  for (const NameMap& map : name_maps())
    if (!backbone.empty() && backbone.rfind(map.backbone, 0) == 0) out.push_back(map);
  out.push_back({backbone, "fovea", "backbone.**", {{"**", "$1"}}});
  return out;
}

std::optional<std::string> renamed(const std::vector<NameRule>& rules, const std::string& name) {
  if (name.size() > kLongest) return std::nullopt;
  for (const NameRule& rule : rules) {
    const std::size_t plain = std::min(rule.from.find('*'), rule.from.size());  // most rules differ before their first star
    if (name.compare(0, plain, rule.from, 0, plain) != 0) continue;
    if (Matcher m(rule.from, name); m.match()) return filled(rule.to, m.captures);
  }
  return std::nullopt;
}

std::string resolve(const std::string& name, const ParamStore& params) {
  if (name.find_first_of("*{") == std::string::npos) return name;
  for (const ParamStore::Entry& e : params.entries())
    if (glob_match(name, e.name)) return e.name;
  return name;
}

std::vector<NameRule> read_name_rules(const std::string& text, const std::string& file) {
  const Yaml list = Yaml::parse(text, file);
  std::vector<NameRule> rules;
  for (const Yaml& item : list.items()) {
    item.only({"from", "to"});
    rules.push_back({item.at("from").scalar(), item.at("to").scalar()});
    check_rule(rules.back(), item.where());
  }
  check(!rules.empty() && rules.size() <= kMostRules, file, ": expected a list of 1 to ", kMostRules,
        " rules like {from: \"encoder.**\", to: \"backbone.$1\"}");
  return rules;
}

}  // namespace fovea
