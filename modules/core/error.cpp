#include "modules/core/error.hpp"

namespace fovea {
namespace {
thread_local std::string current_path;

// Whether a message begins with a line of the file that `path` is a line of: it is the more exact of the two.
bool names_line(const std::string& message, const std::string& path) {
  const auto number = path.rfind(':') + 1;
  if (number == 0 || message.compare(0, number, path, 0, number) != 0) return false;
  const auto end = message.find_first_not_of("0123456789", number);
  return end != std::string::npos && end > number && message[end] == ':';
}

}  // namespace

PathScope::PathScope(std::string_view path) : previous_(current_path) { current_path = path; }
PathScope::~PathScope() { current_path = std::move(previous_); }
const std::string& PathScope::current() { return current_path; }

void raise(const std::string& message) {
  throw Error(current_path.empty() || names_line(message, current_path) ? message : current_path + ": " + message);
}

}  // namespace fovea
