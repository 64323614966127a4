// Data that lies beside the repository: FOVEA_SHARED, or ../shared.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/skip.hpp"

namespace fovea::test {

// The repository, for tests that read its sources.
std::filesystem::path source_folder();

std::optional<std::filesystem::path> shared_data(const std::filesystem::path& relative);

}  // namespace fovea::test

// Leaves the test where the data are not there.
#define FOVEA_NEEDS_SHARED(variable, relative)                                                      \
  const auto variable##_found = fovea::test::shared_data(relative);                                 \
  if (!variable##_found) SKIP_TEST(std::string(relative) + " is not in FOVEA_SHARED or ../shared"); \
  const std::filesystem::path variable = *variable##_found
