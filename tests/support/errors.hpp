// The message of the Error that f() raises, and whether it contains a text.
#pragma once

#include <string>

#include "modules/core/error.hpp"

namespace fovea::test {

// Empty where there is none.
template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return {};
}

template <class F>
bool fails_with(const F& f, const std::string& text) {
  return message_of(f).find(text) != std::string::npos;
}

}  // namespace fovea::test
