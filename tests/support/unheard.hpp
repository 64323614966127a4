// Where what a call says to people is not what the test is about.
#pragma once

#include <string>

namespace fovea::test {

inline void unheard(const std::string&) {}

}  // namespace fovea::test
