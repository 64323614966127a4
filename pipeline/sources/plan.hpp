// Which input becomes which output: decided, and found free of conflicts, before any work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "pipeline/sources/inputs.hpp"

namespace fovea {

struct Planned {
  Input input;
  std::filesystem::path output;    // with the output folder in front; empty for a folder that could not be read
  std::filesystem::path relative;  // the same, below the output folder
};

// The name of an output below the output folder. `format`: png, jpg, tif, bmp, webp, or "same" (an unknown extension gets .png);
// "+json": the whole name with ".json" behind it.
std::filesystem::path output_name(const std::filesystem::path& relative, const std::string& format);
// The format that an output's extension stands for.
std::string format_of(const std::filesystem::path& output);

class Plan {
 public:
  // Walks all inputs once. Error, naming both, when two inputs would become one output, or when an output would replace an input.
  // The same file given twice is done once.
  Plan(Inputs inputs, std::filesystem::path output, std::string format);

  std::size_t count() const { return count_; }
  const std::set<std::filesystem::path>& folders() const { return folders_; }  // that outputs go to
  std::optional<Planned> next();
  void rewind();

 private:
  std::optional<Planned> read();
  void scan();
  void refuse_conflicts(const std::vector<std::uint64_t>& shared_outputs, const std::vector<std::uint64_t>& replaced);

  Inputs inputs_;
  std::filesystem::path output_;
  std::string format_;
  std::size_t count_ = 0;
  std::set<std::filesystem::path> folders_;
  std::unordered_set<std::string> given_twice_, passed_;
};

}  // namespace fovea
