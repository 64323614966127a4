// Tests that lack their data or processor.
#pragma once

#include <string>

namespace fovea::test {

// From here to its end the running test case counts as skipped, unless something in it is checked: then that is its result. CTest
// reads the line that main.cpp prints.
void ask_to_skip(const std::string& reason);

}  // namespace fovea::test

// Leaves the test case.
#define SKIP_TEST(reason)             \
  do {                                \
    fovea::test::ask_to_skip(reason); \
    return;                           \
  } while (false)
