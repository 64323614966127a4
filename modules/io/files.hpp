// Whole files in, whole files out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

// What the system refused, by its errno: callers tell a full disk (try again) from a name that cannot be (never will).
class FileError : public Error {
 public:
  FileError(const std::string& message, int error) : Error(message), code(error) {}
  const int code;
};

// Whether an errno tells of the machine at this moment and not of a file: out of memory or descriptors, a disk or a network that does not
// answer. The same call may succeed later.
bool passes(int error);
// Calls again, twice and each time after a moment, what gives an errno that passes. Gives the last one; 0 is success.
int try_again(const std::function<int()>& call);

// The bytes of a regular file or pipe. What passes is tried again at once. Throws Error with the reason: missing, a folder, no permission, read error
// (FileError where the system said it).
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
inline void write_file_atomically(const std::filesystem::path& file, std::string_view text) {
  write_file_atomically(file, text.data(), text.size());
}

}  // namespace fovea
