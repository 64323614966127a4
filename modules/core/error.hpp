// The one exception type and the one check of the project.
// A message reads "where: what: expected, got"; `where` is the path of the module being run, kept by PathScope.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fovea {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Names the module (for example "backbone.layer3.0") that errors raised on this thread belong to, until destroyed.
class PathScope {
 public:
  explicit PathScope(std::string_view path);
  ~PathScope();
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;
  static const std::string& current();

 private:
  std::string previous_;
};

[[noreturn]] void raise(const std::string& message);

// Out of line: there are thousands of checks, and none of them fails where time matters.
template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  raise(text.str());
}

template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}  // namespace fovea
