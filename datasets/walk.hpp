// The one rule for which files of a folder are data: whoever reads a folder, a run, a training, an evaluation, walks it so. Depth first, each
// folder's entries sorted by bytes. Holds one listing a level, never the whole tree.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datasets/bad_file.hpp"

namespace fovea {

inline constexpr const char* kLedgerName = "fovea-ledger.jsonl";

// Which file on the disk: the same through every link.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};
std::optional<FileId> file_id(const std::filesystem::path& path);  // follows links

// Whether people would call the file an image by its extension, one that is read here or not.
bool is_image_like(const std::filesystem::path& file);
// Likewise a video.
bool is_video_like(const std::filesystem::path& file);

class Walk {
 public:
  struct Entry {
    std::filesystem::path relative;  // to the root; "." for the root itself
    std::string problem = {};        // why nothing can be read here; empty for a file to try
    Fault fault = Fault::bad;        // whose that is
    int error = 0;                   // of a folder that cannot be read: errno
  };
  // By paths relative to the root; empty: all.
  struct Filter {
    std::function<bool(const std::filesystem::path&)> enters = {}, takes = {};
    bool videos = false;  // are taken, too, by their extension
    bool scans = false;   // are taken, too: by their extension, and files that have none, or only digits, by their first bytes
  };

  // Files whose extension is an image's, of a format that is read or (as skipped) of another one. Links are followed, but never back into a
  // folder that is being walked. Left out: hidden names (".ipynb_checkpoints", "._x.png"), pipes and devices, the folder `exclude`, and folders
  // below the root that hold a ledger (outputs of former runs).
  explicit Walk(std::filesystem::path root) : Walk(std::move(root), Filter(), std::nullopt) {}
  Walk(std::filesystem::path root, Filter filter, std::optional<FileId> exclude);
  std::optional<Entry> next();

 private:
  struct Level {
    std::filesystem::path relative;
    std::vector<std::string> names;  // folders end with a slash
    std::size_t at = 0;
    FileId id;
  };

  std::optional<Entry> enter(const std::filesystem::path& relative);
  int list(Level& level) const;  // gives errno
  bool is_wanted_scan(const std::filesystem::path& relative) const;
  std::filesystem::path full(const std::filesystem::path& relative) const { return relative.empty() ? root_ : root_ / relative; }

  std::filesystem::path root_;
  Filter filter_;
  std::optional<FileId> exclude_;
  std::vector<Level> levels_;
  bool started_ = false;
};

// All of a walk at once, for data that are held in memory anyway.
struct FolderImages {
  std::vector<std::filesystem::path> files;  // sorted by path, the folder in front
  std::vector<BadFile> left_out;             // skipped files, folders that cannot be read
};
// Error when it is no folder; FileError when it, or one below it, cannot be read at this moment.
FolderImages images_below(const std::filesystem::path& folder);
FolderImages images_below(const std::filesystem::path& folder, Walk::Filter filter);

// What a folder holds by the same rule, without hidden names, sorted. FileError when it cannot be read.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

}  // namespace fovea
