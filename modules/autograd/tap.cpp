#include "modules/autograd/tap.hpp"

#include <utility>

#include "modules/core/glob.hpp"

namespace fovea {
namespace {

thread_local TapScope* current_scope = nullptr;

std::string full_name(std::string_view name) {
  const std::string& path = PathScope::current();
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

}  // namespace

bool glob_match(std::string_view glob, std::string_view path) {
  // One pattern meets many names, one after another.
  thread_local std::string text;
  thread_local Glob compiled;
  if (text != glob) {
    compiled = Glob(glob);
    text = glob;
  }
  return compiled.matches(path);
}

TapScope::TapScope(std::string keep, std::map<std::string, Var> feeds, bool gradients)
    : keep_(std::move(keep)), feeds_(std::move(feeds)), gradients_(gradients), previous_(std::exchange(current_scope, this)) {}
TapScope::~TapScope() { current_scope = previous_; }

Var tap(std::string_view name, const Var& v) {
  TapScope* scope = current_scope;
  if (!scope) return v;
  const std::string full = full_name(name);
  Var out = v;
  if (auto feed = scope->feeds_.find(full); feed != scope->feeds_.end()) {
    check(feed->second.shape() == v.shape(), full, ": a fed tap wants shape ", v.shape(), ", got ", feed->second.shape());
    out = feed->second;
    if (v.state()->value.defined() && out.state()->value.defined()) out = Var(out.value().to(v.dtype()));
  }
  if (glob_match(scope->keep_, full)) {
    if (scope->gradients_) {
      if (!out.requires_grad()) out = Var(out.value(), true);
      out.retain_grad();
    }
    scope->kept.emplace_back(full, out);
    if (scope->onward) out = scope->onward(full, out);
  }
  return out;
}

bool wants_tap(std::string_view name) {
  if (!current_scope) return false;
  const std::string full = full_name(name);
  return current_scope->feeds_.count(full) > 0 || glob_match(current_scope->keep_, full);
}

}  // namespace fovea
