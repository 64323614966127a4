#include "modules/autograd/tap.hpp"

#include <utility>

namespace fovea {
namespace {

thread_local TapScope* current_scope = nullptr;

bool match(std::string_view g, std::string_view p);

// {a,b}: any alternative followed by the rest. Alternatives are plain globs without braces of their own.
bool match_braces(std::string_view g, std::string_view p) {
  const auto close = g.find('}');
  check(close != std::string_view::npos, "glob: '{' without '}' in '", g, "'");
  std::string_view list = g.substr(1, close - 1);
  const std::string rest(g.substr(close + 1));
  while (true) {
    const auto comma = list.find(',');
    if (match(std::string(list.substr(0, comma)) + rest, p)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool match_class(std::string_view g, std::string_view p) {
  const auto close = g.find(']');
  check(close != std::string_view::npos, "glob: '[' without ']' in '", g, "'");
  if (p.empty()) return false;
  bool inside = false;
  for (std::size_t i = 1; i < close; ++i) {
    if (i + 2 < close && g[i + 1] == '-') {
      inside |= g[i] <= p[0] && p[0] <= g[i + 2];
      i += 2;
    } else {
      inside |= g[i] == p[0];
    }
  }
  return inside && match(g.substr(close + 1), p.substr(1));
}

bool match_star(std::string_view g, std::string_view p) {
  const bool deep = g.substr(0, 2) == "**";
  std::string_view rest = g.substr(deep ? 2 : 1);
  // "**.x" also matches "x" at the top.
  if (deep && !rest.empty() && rest[0] == '.' && match(rest.substr(1), p)) return true;
  for (std::size_t i = 0; i <= p.size(); ++i) {
    if (match(rest, p.substr(i))) return true;
    if (i < p.size() && !deep && p[i] == '.') return false;
  }
  return false;
}

bool match(std::string_view g, std::string_view p) {
  if (g.empty()) return p.empty();
  if (g[0] == '*') return match_star(g, p);
  if (g[0] == '{') return match_braces(g, p);
  if (g[0] == '[') return match_class(g, p);
  if (p.empty() || (g[0] != p[0] && !(g[0] == '?' && p[0] != '.'))) return false;
  return match(g.substr(1), p.substr(1));
}

std::string full_name(std::string_view name) {
  const std::string& path = PathScope::current();
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

}  // namespace

bool glob_match(std::string_view glob, std::string_view path) { return !glob.empty() && match(glob, path); }

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
