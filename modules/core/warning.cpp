#include "modules/core/warning.hpp"

#include <cstdio>
#include <mutex>
#include <set>
#include <utility>

#include "modules/core/text.hpp"

namespace fovea {
namespace {

struct State {
  std::mutex mutex;
  std::set<std::string> said;
  std::function<void(const std::string&)> listener = [](const std::string& text) {
    std::fprintf(stderr, "fovea: %s\n", printable_lines(text).c_str());
  };
};
State& state() {
  static State one;
  return one;
}

}  // namespace

void warn(const std::string& text) {
  std::lock_guard lock(state().mutex);
  if (state().said.insert(text).second) state().listener(text);
}

std::function<void(const std::string&)> on_warning(std::function<void(const std::string&)> listener) {
  std::lock_guard lock(state().mutex);
  state().said.clear();
  return std::exchange(state().listener, std::move(listener));
}

}  // namespace fovea
