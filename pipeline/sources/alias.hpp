// Inputs that are called by an alias in all that is written and told, because the names of files and folders must not be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

struct Input;

class Aliases {
 public:
  virtual ~Aliases() = default;
  // A name fit for files, always the same for the same input. Called by one thread at a time. EnvironmentError.
  virtual std::string of(const Input& input) = 0;
  // Stands for a time, which it does not tell; equal for equal ones.
  virtual std::int64_t sealed(std::int64_t time) const = 0;
};

// The text with `alias` wherever the paths of an input's files, of their folder, or their names stand in it as words.
std::string with_alias(std::string text, const std::vector<std::filesystem::path>& files, const std::string& alias);

}  // namespace fovea
