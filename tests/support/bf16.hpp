// Whether this processor computes in bf16; a test that finds it does not says so and ends.
#pragma once

#include "modules/autograd/apply.hpp"
#include "tests/support/catch.hpp"

namespace fovea::test {

inline bool has_bf16() {
  try {
    parse_precision("bf16");
    return true;
  } catch (const Error& e) {
    WARN("skipped: " << e.what());
    return false;
  }
}

}  // namespace fovea::test
