// A file that is written by somebody else under a temporary name, and takes its own only when it is whole.
#pragma once

#include <filesystem>
#include <optional>

namespace fovea {

class OutputFile {
 public:
  // Makes the empty temporary file, beside `file`. Throws FileError where that cannot be (no such folder, no permission), Error
  // where `file` is a folder or device. A link stays a link.
  explicit OutputFile(const std::filesystem::path& file);
  ~OutputFile();  // removes it where it was not kept
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }
  // Syncs it to the disk and gives it its name, with the permissions of a file that was there. FileError.
  void keep();

 private:
  std::filesystem::path file_, target_, temporary_;
  std::optional<unsigned> permissions_;
  bool kept_ = false;
};

}  // namespace fovea
