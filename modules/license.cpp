#include "modules/license.hpp"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <vector>

#include "modules/io/yaml.hpp"
#include "modules/model.hpp"

namespace fovea {
namespace {

constexpr const char *kWeightsKey = "license", *kDataKey = "data_license";
constexpr const char* kUnknown = "unknown";
constexpr std::size_t kLongest = 2000;  // bytes of a text

// That restrict the use of what they are said of, wherever they stand in a term.
constexpr const char* kRestricting[] = {"research", "academic", "educational", "commercial", "noncommercial", "nc"};
// SPDX identifiers, https://spdx.org/licenses, in small letters.
constexpr const char* kOpen[] = {"apache-2.0",
                                 "mit",
                                 "mit-0",
                                 "bsd-2-clause",
                                 "bsd-3-clause",
                                 "isc",
                                 "zlib",
                                 "unlicense",
                                 "mpl-2.0",
                                 "lgpl-2.1-only",
                                 "lgpl-2.1-or-later",
                                 "lgpl-3.0-only",
                                 "lgpl-3.0-or-later",
                                 "gpl-2.0-only",
                                 "gpl-2.0-or-later",
                                 "gpl-3.0-only",
                                 "gpl-3.0-or-later",
                                 "agpl-3.0-only",
                                 "agpl-3.0-or-later",
                                 "cc0-1.0",
                                 "cc-by-2.0",
                                 "cc-by-3.0",
                                 "cc-by-4.0",
                                 "cc-by-sa-3.0",
                                 "cc-by-sa-4.0",
                                 "odbl-1.0",
                                 "odc-by-1.0",
                                 "pddl-1.0",
                                 "cdla-permissive-1.0",
                                 "cdla-permissive-2.0",
                                 "public domain"};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

std::vector<std::string> terms_of(const std::string& text) {
  std::vector<std::string> terms;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    if (std::string term = trimmed(text.substr(at, end - at)); !term.empty()) terms.push_back(std::move(term));
    at = end + 1;
  }
  return terms;
}

bool is_unknown(const std::string& term) { return lower(term).starts_with(kUnknown); }

bool restricts(const std::string& term) {
  std::string word;
  for (const char c : lower(term) + " ") {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      word += c;
      continue;
    }
    if (std::find(std::begin(kRestricting), std::end(kRestricting), word) != std::end(kRestricting)) return true;
    word.clear();
  }
  return false;
}

bool is_open(const std::string& term) {
  const std::string name = trimmed(lower(term.substr(0, term.find_first_of(":(,"))));
  return std::find(std::begin(kOpen), std::end(kOpen), name) != std::end(kOpen);
}

std::string union_of(const std::string& a, const std::string& b) {
  std::vector<std::string> all = terms_of(a);
  for (std::string& term : terms_of(b))
    if (std::find(all.begin(), all.end(), term) == all.end()) all.push_back(std::move(term));
  std::string text;
  for (const std::string& term : all) text += (text.empty() ? "" : "; ") + term;
  return text;
}

std::string said(const std::string& text) { return terms_of(text).empty() ? kUnknown : text; }

std::string read_text(const Yaml& license, const char* key) {
  if (!license.has(key)) return {};
  const Yaml& y = license.at(key);
  const std::string text = trimmed(y.scalar());
  check(text.size() <= kLongest, y.where(), ": license.", key, ": expected at most ", kLongest, " bytes, got ", text.size());
  check(std::none_of(text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c); }), y.where(), ": license.", key,
        ": expected one line of text without control characters");
  return text;
}

std::string refusal_of(const std::string& text, const char* whose, LicensePolicy policy) {
  const std::vector<std::string> terms = terms_of(text);
  if (terms.empty()) return std::string("nobody says under which licence ") + whose + " are";
  for (const std::string& term : terms) {
    const std::string are = std::string(whose) + " are under '" + term + "'";
    if (is_unknown(term)) return are;
    if (restricts(term)) return are + ", which is not for every use";
    if (policy == LicensePolicy::open && !is_open(term)) return are + ", which does not begin with the name of an open licence";
  }
  return {};
}

struct Shared {
  std::mutex mutex;
  LicenseRules rules;
};
Shared& shared() {
  static Shared one;
  return one;
}

}  // namespace

License read_license(const Yaml& recipe) {
  if (!recipe.has("license")) return {};
  const Yaml& y = recipe.at("license");
  check(!y.keys().empty(), y.where(), ": license: expected {weights: TERMS, data: TERMS}");
  y.only({"weights", "data"});
  return {read_text(y, "weights"), read_text(y, "data")};
}

License license_in(const std::map<std::string, std::string>& metadata) {
  const auto text = [&](const char* key) -> std::string {
    const auto it = metadata.find(key);
    if (it == metadata.end()) return {};
    // Cut, it could hide the word that matters.
    if (it->second.size() > kLongest)
      return std::string(kUnknown) + ": a text of " + std::to_string(it->second.size()) + " bytes";
    return trimmed(it->second);
  };
  return {text(kWeightsKey), text(kDataKey)};
}

License license_of(const Model& model) {
  const License file = license_in(model.metadata());
  const License recipe = read_license(Yaml::parse(model.recipe(), "recipe"));
  return {file.weights.empty() ? recipe.weights : file.weights, file.data.empty() ? recipe.data : file.data};
}

std::map<std::string, std::string> license_metadata(const License& license) {
  std::map<std::string, std::string> metadata;
  if (!license.weights.empty()) metadata[kWeightsKey] = license.weights;
  if (!license.data.empty()) metadata[kDataKey] = license.data;
  return metadata;
}

std::map<std::string, std::string> read_metadata(const std::vector<std::string>& given) {
  std::map<std::string, std::string> out;
  for (const std::string& pair : given) {
    const auto equal = pair.find('=');
    check(equal != std::string::npos && equal > 0, "--metadata: expected key=value, got '", pair, "'");
    check(pair.rfind("fovea.", 0) != 0, "--metadata: keys that begin with 'fovea.' are the program's own, got '", pair, "'");
    out[pair.substr(0, equal)] = pair.substr(equal + 1);
  }
  return out;
}

License together(const License& a, const License& b) { return {union_of(a.weights, b.weights), union_of(a.data, b.data)}; }

License derived(const License& own, const License& source) {
  return {union_of(said(own.weights), said(source.weights)), union_of(said(own.data), said(source.data))};
}

LicensePolicy parse_license_policy(const std::string& name) {
  if (name == "any") return LicensePolicy::any;
  if (name == "no-research") return LicensePolicy::no_research;
  check(name == "open", "--license-policy: expected any, no-research or open, got '", name, "'");
  return LicensePolicy::open;
}

std::string refusal(const License& license, LicensePolicy policy) {
  if (policy == LicensePolicy::any) return {};
  const std::string weights = refusal_of(license.weights, "its weights", policy);
  return weights.empty() ? refusal_of(license.data, "the data that it was trained on", policy) : weights;
}

void set_license_rules(LicenseRules rules) {
  const std::lock_guard lock(shared().mutex);
  shared().rules = std::move(rules);
}

void apply_license_rules(const Model& model) {
  const LicenseRules rules = [] {
    const std::lock_guard lock(shared().mutex);
    return shared().rules;
  }();
  if (rules.policy == LicensePolicy::any && !rules.heard) return;
  const License license = license_of(model);
  const std::string why = refusal(license, rules.policy);
  if (!why.empty())
    throw LicenseRefused(
        model.name() + ": the licence policy refuses it: " + why +
        ". Take another model; or, where you know the terms, write them into a file of your own (fovea export MODEL "
        "-o FILE --metadata license=TERMS data_license=TERMS --license-policy any); or allow it with "
        "--license-policy any");
  if (rules.heard) rules.heard(model.name(), license);
}

}  // namespace fovea
