// How the names of published modules become ours: rules for parameters, spellings of activations.
#pragma once

#include <algorithm>
#include <regex>

#include "tests/golden/modules.hpp"

namespace fovea::golden {

// The first rule that matches the whole name rewrites it; a name without a rule stays.
inline std::function<std::string(const std::string&)> rename_by(std::vector<std::pair<std::string, std::string>> rules) {
  return [rules = std::move(rules)](const std::string& name) {
    for (const auto& [from, to] : rules)
      if (const std::regex pattern(from); std::regex_match(name, pattern)) return std::regex_replace(name, pattern, to);
    return name;
  };
}

// "nn.Hardsigmoid", "hard-sigmoid" and "h_sigmoid" -> "hard_sigmoid", and so on.
inline std::string activation_name(std::string text) {
  if (const auto dot = text.rfind('.'); dot != std::string::npos) text = text.substr(dot + 1);
  std::string letters;
  for (const char ch : text)
    if (std::isalnum(static_cast<unsigned char>(ch))) letters += static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
  static const std::map<std::string, std::string> ours{
      {"hardsigmoid", "hard_sigmoid"},
      {"hsigmoid", "hard_sigmoid"},
      {"hardswish", "hard_swish"},
      {"hswish", "hard_swish"},
      {"swish", "silu"},
      {"leakyrelu", "leaky_relu"},
      {"identity", "none"},
  };
  const auto it = ours.find(letters);
  return it == ours.end() ? letters : it->second;
}

// The first of the hyper-parameters that is there, else `fallback`.
inline std::string hyper(const Case& c, const std::vector<std::string>& names, const std::string& fallback) {
  for (const std::string& name : names)
    if (c.hyper.contains(name) && !c.hyper.at(name).is_null()) return text(c.hyper.at(name));
  return fallback;
}

inline bool flag(const Case& c, const std::vector<std::string>& names, bool fallback) {
  const std::string value = hyper(c, names, fallback ? "true" : "false");
  return value != "false" && value != "0" && value != "False";
}

inline std::string yes_no(bool value) { return value ? "true" : "false"; }

// Whether the file stores the parameter, and the length of its axis.
inline bool has(const Case& c, const std::string& parameter) { return c.parameter(parameter).rank() > 0; }
inline std::string axis(const Case& c, const std::string& parameter, int i) { return std::to_string(c.parameter(parameter)[i]); }
inline std::int64_t channels_of(const Case& c, const std::string& parameter, int i) { return c.parameter(parameter)[i]; }

}  // namespace fovea::golden
