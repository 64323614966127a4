// A function of what a network gives. One that is written for a single value gets the first of the outputs.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "modules/core/named.hpp"

namespace fovea {

template <class Result, class Value>
class OfOutputs {
 public:
  OfOutputs() = default;
  OfOutputs(std::nullptr_t) {}
  template <class F>
  requires std::is_invocable_r_v < Result, F&, const Named<Value>
  & > OfOutputs(F f) : f_(std::move(f)) {}
  template <class F>
  requires(!std::is_invocable_r_v<Result, F&, const Named<Value>&> && std::is_invocable_r_v<Result, F&, const Value&>)
      OfOutputs(F f)
      : f_([f = std::move(f)](const Named<Value>& outputs) { return f(outputs.first()); }) {}

  Result operator()(const Named<Value>& outputs) const { return f_(outputs); }
  explicit operator bool() const { return static_cast<bool>(f_); }

 private:
  std::function<Result(const Named<Value>&)> f_;
};

}  // namespace fovea
