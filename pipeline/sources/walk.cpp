#include "pipeline/sources/walk.hpp"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "datasets/image.hpp"

namespace fovea {
namespace fs = std::filesystem;

std::optional<FileId> file_id(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

Components components_of(const fs::path& path) {
  Components parts;
  for (const fs::path& part : path)
    if (!part.empty() && part != "." && part != "/") parts.push_back(part.string());
  return parts;
}

Walk::Walk(fs::path root, Components pattern, std::optional<FileId> exclude)
    : root_(std::move(root)), pattern_(std::move(pattern)), exclude_(exclude) {}

std::string Walk::list(Level& level) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(full(level.relative).c_str()), ::closedir);
  if (!dir) return std::generic_category().message(errno);
  errno = 0;
  for (const dirent* entry; (entry = ::readdir(dir.get())); errno = 0) {
    const std::string name = entry->d_name;
    if (name == kLedgerName && !level.relative.empty()) {
      level.names.clear();
      return {};
    }
    if (name[0] == '.') continue;
    const fs::path relative = level.relative / name;
    bool folder = entry->d_type == DT_DIR, regular = entry->d_type == DT_REG;
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      // A link to nothing is left to the decoder, which says so.
      const bool known = ::stat(full(relative).c_str(), &info) == 0;
      folder = known && S_ISDIR(info.st_mode);
      regular = !known || S_ISREG(info.st_mode);
    }
    if (folder && (pattern_.empty() || path_may_lead_to_match(pattern_, components_of(relative))))
      level.names.push_back(name + '/');
    if (regular && is_image_extension(relative) && (pattern_.empty() || path_matches(pattern_, components_of(relative))))
      level.names.push_back(name);
  }
  const int error = errno;
  std::sort(level.names.begin(), level.names.end());
  return error ? std::generic_category().message(error) : std::string();
}

std::optional<Walk::Entry> Walk::enter(const fs::path& relative) {
  Level level;
  level.relative = relative;
  const auto id = file_id(full(relative));
  if (id) {
    if (id == exclude_ && !relative.empty()) return std::nullopt;
    // A link back up would go round for ever.
    for (const Level& above : levels_)
      if (above.id == *id) return std::nullopt;
    level.id = *id;
  }
  const std::string problem = list(level);
  levels_.push_back(std::move(level));
  if (problem.empty()) return std::nullopt;
  return Entry{relative.empty() ? fs::path(".") : relative, "cannot read the folder: " + problem};
}

std::optional<Walk::Entry> Walk::next() {
  if (!started_) {
    started_ = true;
    if (auto problem = enter({})) return problem;
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.at == level.names.size()) {
      levels_.pop_back();
      continue;
    }
    std::string name = level.names[level.at++];
    if (name.back() != '/') return Entry{level.relative / name, {}};
    name.pop_back();
    if (auto problem = enter(level.relative / name)) return problem;
  }
  return std::nullopt;
}

}  // namespace fovea
