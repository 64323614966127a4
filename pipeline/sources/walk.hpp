// A folder's image files, depth first, each folder's entries sorted by bytes. Holds one listing a level, never the whole tree.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/sources/glob.hpp"

namespace fovea {

inline constexpr const char* kLedgerName = "fovea-ledger.jsonl";

// Which file on the disk: the same through every link.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};
std::optional<FileId> file_id(const std::filesystem::path& path);  // follows links

class Walk {
 public:
  struct Entry {
    std::filesystem::path relative;  // to the root; "." for the root itself
    std::string problem;             // a folder that cannot be read, and why; empty for a file
  };

  // Files whose extension is an image's and whose path matches `pattern` (empty: all). Links are followed, but never back into a
  // folder that is being walked. Left out: hidden names, the folder `exclude`, and folders below the root that hold a ledger
  // (outputs of former runs).
  Walk(std::filesystem::path root, Components pattern, std::optional<FileId> exclude);
  std::optional<Entry> next();

 private:
  struct Level {
    std::filesystem::path relative;
    std::vector<std::string> names;  // folders end with a slash
    std::size_t at = 0;
    FileId id;
  };

  std::optional<Entry> enter(const std::filesystem::path& relative);
  std::string list(Level& level) const;  // gives the problem, if any
  std::filesystem::path full(const std::filesystem::path& relative) const { return relative.empty() ? root_ : root_ / relative; }

  std::filesystem::path root_;
  Components pattern_;
  std::optional<FileId> exclude_;
  std::vector<Level> levels_;
  bool started_ = false;
};

Components components_of(const std::filesystem::path& path);

}  // namespace fovea
