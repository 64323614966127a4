#include "modules/core/error.hpp"

namespace fovea {
namespace {
thread_local std::string current_path;
}

PathScope::PathScope(std::string_view path) : previous_(current_path) { current_path = path; }
PathScope::~PathScope() { current_path = std::move(previous_); }
const std::string& PathScope::current() { return current_path; }

void raise(const std::string& message) { throw Error(current_path.empty() ? message : current_path + ": " + message); }

}  // namespace fovea
