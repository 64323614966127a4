// Whole files in, whole files out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

// What the system refused, by its errno: callers tell a full disk (try again) from a name that cannot be (never will).
class FileError : public Error {
 public:
  FileError(const std::string& message, int error) : Error(message), code(error) {}
  const int code;
};

// The bytes of a regular file or pipe. Throws Error with the reason: missing, a folder, no permission, read error.
std::vector<std::uint8_t> read_file(const std::filesystem::path& file);

struct Bytes {
  const void* data;
  std::size_t size;
};

// Writes to a temporary name beside `file`, syncs and renames: the file is complete or as it was before. An existing file's
// permissions stay, a link stays a link, a device or pipe is written directly. Throws FileError (disk full, no permission) and leaves no
// temporary file.
void write_file_atomically(const std::filesystem::path& file, const void* data, std::size_t size);
void write_file_atomically(const std::filesystem::path& file, std::span<const Bytes> parts);

}  // namespace fovea
