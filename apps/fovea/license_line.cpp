#include "apps/fovea/license_line.hpp"

#include <iostream>
#include <mutex>
#include <set>

#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

constexpr std::size_t kShown = 300;  // bytes of a text

std::string shown(const std::string& text) {
  if (text.empty()) return "unknown terms";
  return printable(text.size() <= kShown ? text : text.substr(0, kShown) + "...");
}

}  // namespace

std::string license_text(const License& license) {
  return "weights under " + shown(license.weights) + ", data under " + shown(license.data);
}

void print_license_line(const std::string& model, const License& license) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  const std::string line = "fovea: " + printable(model) + ": " + license_text(license) + "\n";
  if (said.insert(line).second) std::cerr << line;
}

}  // namespace fovea
