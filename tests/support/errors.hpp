// Whether f() raises an Error whose message contains `text`.
#pragma once

#include <string>

#include "modules/core/error.hpp"

namespace fovea::test {

template <class F>
bool fails_with(const F& f, const std::string& text) {
  try {
    f();
  } catch (const Error& e) { return std::string(e.what()).find(text) != std::string::npos; }
  return false;
}

}  // namespace fovea::test
