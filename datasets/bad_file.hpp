// A file that could not be used, and why.
#pragma once

#include <filesystem>
#include <string>

namespace fovea {

struct BadFile {
  std::filesystem::path file;
  std::string reason;
};

}  // namespace fovea
