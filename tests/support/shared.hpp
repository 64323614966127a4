// Data that lies beside the repository: FOVEA_SHARED, or ../shared.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace fovea::test {

inline std::optional<std::filesystem::path> shared_data(const std::filesystem::path& relative) {
  const char* set = std::getenv("FOVEA_SHARED");
  const std::filesystem::path root = set ? std::filesystem::path(set) : std::filesystem::path(FOVEA_SOURCE_DIR) / ".." / "shared";
  std::error_code ignored;
  if (!std::filesystem::exists(root / relative, ignored)) return std::nullopt;
  return root / relative;
}

}  // namespace fovea::test

// Leaves the test with a message where the data is not there.
#define FOVEA_NEEDS_SHARED(variable, relative)                                 \
  const auto variable##_found = fovea::test::shared_data(relative);            \
  if (!variable##_found) {                                                     \
    WARN("skipped: " << (relative) << " is not in FOVEA_SHARED or ../shared"); \
    return;                                                                    \
  }                                                                            \
  const std::filesystem::path variable = *variable##_found
