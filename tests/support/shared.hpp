// Data that lies beside the repository: FOVEA_SHARED, or ../shared.
#pragma once

#include <filesystem>
#include <optional>

namespace fovea::test {

// The repository, for tests that read its sources.
std::filesystem::path source_folder();

std::optional<std::filesystem::path> shared_data(const std::filesystem::path& relative);

}  // namespace fovea::test

// Leaves the test with a message where the data is not there.
#define FOVEA_NEEDS_SHARED(variable, relative)                                 \
  const auto variable##_found = fovea::test::shared_data(relative);            \
  if (!variable##_found) {                                                     \
    WARN("skipped: " << (relative) << " is not in FOVEA_SHARED or ../shared"); \
    return;                                                                    \
  }                                                                            \
  const std::filesystem::path variable = *variable##_found
