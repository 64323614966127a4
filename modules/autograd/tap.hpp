// Taps: named values inside a network, such as an attention map. A tap that nobody asks for costs nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "modules/autograd/var.hpp"

namespace fovea {

// Whether `path` matches a glob: * within one component, ** across components, ? one character, {a,b} alternatives,
// [0-9] ranges; components are separated by dots. An empty glob matches nothing.
bool glob_match(std::string_view glob, std::string_view path);

// While alive on this thread: collects the taps whose full name ("AAB_trunk.0.attention.gate") matches `keep`, and replaces
// taps that are fed by the given values; while tracing by the given inputs.
class TapScope {
 public:
  // With `gradients`, backward() leaves the gradient of every kept value in it.
  explicit TapScope(std::string keep, std::map<std::string, Var> feeds = {}, bool gradients = false);
  ~TapScope();
  TapScope(const TapScope&) = delete;
  std::vector<std::pair<std::string, Var>> kept;  // in order of computation
  // Where set: called with every kept value; the network goes on with what it returns, `kept` holds the network's own.
  std::function<Var(const std::string& name, const Var& value)> onward;

 private:
  friend Var tap(std::string_view, const Var&);
  friend bool wants_tap(std::string_view);
  std::string keep_;
  std::map<std::string, Var> feeds_;
  bool gradients_;
  TapScope* previous_;
};

// Names `v` "<path of the running module>.<name>".
Var tap(std::string_view name, const Var& v);

// Whether tap(name, ...) here and now would keep or replace its value: for values that cost something only a tap needs.
bool wants_tap(std::string_view name);

}  // namespace fovea
