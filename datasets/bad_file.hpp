// A file that could not be used, and why.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

enum class Fault : std::uint8_t {
  bad,      // the file's own: damaged, not an image, without a mask
  skipped,  // an image of a format that is not read, found in a folder: passed over
  passing   // the machine's at this moment: out of memory, too many open files, a network disk that is away
};

struct BadFile {
  std::filesystem::path file;
  std::string reason;
  Fault fault = Fault::bad;
};

// Whether the same may succeed another time: FileError by its errno, memory that the system refused.
bool is_passing(const std::exception& e);

// What a reader threw, as an entry for a list; called where it is caught. What is passing is thrown on: to go on without the file would be a
// result that nobody can repeat.
BadFile bad_file(const std::filesystem::path& file, const std::exception& e);

}  // namespace fovea
