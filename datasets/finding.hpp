// What is wrong, or may be, with data before anything learns from them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

enum class Severity : std::uint8_t { warning, error };

struct Finding {
  Severity severity = Severity::error;
  std::string kind;            // "missing file", as the check says that found it
  std::string part;            // of the data; may be empty
  std::filesystem::path file;  // empty where it is about all of them
  std::string text;
};

inline std::size_t count_of(const std::vector<Finding>& findings, Severity severity) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.severity == severity; }));
}

}  // namespace fovea
