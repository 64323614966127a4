// Which blocks cannot stand in which slots of the small networks, each with its reason: everything else must.
#pragma once

#include <functional>
#include <string>

#include "tests/support/small_networks.hpp"

namespace fovea::test {

// Part of the message of the error that the block must raise there; empty where it must fit.
std::string misfit(const Small& s, const std::string& at, const std::string& block);

// Runs what builds and uses the network with the block there. Whether it fitted; a check fails where that or the message is not what
// misfit() says.
bool fits_or_says_why(const Small& s, const std::string& at, const std::string& block, const std::function<void()>& use);

}  // namespace fovea::test
