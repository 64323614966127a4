// Whether this processor computes in bf16.
#pragma once

#include "modules/autograd/apply.hpp"
#include "tests/support/skip.hpp"

namespace fovea::test {

// Why not; empty where it does.
inline std::string bf16_problem() {
  try {
    parse_precision("bf16");
    return {};
  } catch (const Error& e) { return e.what(); }
}

// A test that checks nothing else then counts as skipped.
inline bool has_bf16() {
  const std::string problem = bf16_problem();
  if (!problem.empty()) ask_to_skip(problem);
  return problem.empty();
}

}  // namespace fovea::test
