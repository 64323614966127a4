// What a model makes of the pictures of a folder, kept in a file so that each is encoded once.
//
// The file is a .safetensors file with the metadata
//   fovea.index        "1", the version of this format
//   fovea.model        the fingerprint of what encoded the pictures: the parameters, the network and its preprocessing
//   fovea.model.name   what that model was called
// and the tensors
//   names    U8  [B]      paths below the folder, each ending with a byte 0, sorted by their bytes
//   files    I64 [N, 4]   of each its size in bytes, its time of change in nanoseconds since 1970, and height and width of its map
//   values   F16 [V]      of each its vectors, D x height x width (height = width = 1 where a picture has one vector)
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "modules/model.hpp"

namespace fovea {

class SearchIndex {
 public:
  struct Stamp {  // tells whether a file is still the one that was encoded
    std::int64_t size = 0, changed = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Entry {
    Stamp stamp;
    Tensor values;  // f16, D x height x width
  };
  using Entries = std::map<std::string, Entry>;

  explicit SearchIndex(const Model& model);  // an empty one

  // The file's entries. UsageError that says what to do where it is of another model or of another version; Error where it is
  // damaged or no index.
  void read(const std::filesystem::path& file);
  void write(const std::filesystem::path& file) const;

  Entries& entries() { return entries_; }
  const Entries& entries() const { return entries_; }

  // Whether a file may be replaced: it is not there, or began as an index.
  static bool may_replace(const std::filesystem::path& file);
  static Stamp stamp_of(const std::filesystem::path& file);  // FileError where the system cannot say

 private:
  std::string model_, name_;
  std::int64_t width_;  // D
  Entries entries_;
};

}  // namespace fovea
