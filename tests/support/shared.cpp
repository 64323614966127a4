#include "tests/support/shared.hpp"

#include <cstdlib>

namespace fovea::test {

std::filesystem::path source_folder() { return FOVEA_SOURCE_DIR; }

std::optional<std::filesystem::path> shared_data(const std::filesystem::path& relative) {
  const char* set = std::getenv("FOVEA_SHARED");
  const std::filesystem::path root = set ? std::filesystem::path(set) : source_folder() / ".." / "shared";
  std::error_code ignored;
  if (!std::filesystem::exists(root / relative, ignored)) return std::nullopt;
  return root / relative;
}

}  // namespace fovea::test
