#include "datasets/walk.hpp"

#include <dirent.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <memory>
#include <system_error>
#include <unordered_set>

#include "datasets/image.hpp"
#include "datasets/scans/scan.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

bool is_hidden(const char* name) { return name[0] == '.'; }

std::string lower_extension(const fs::path& file) {
  std::string text = file.extension().string();
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string reason_of(int error) { return "cannot read the folder: " + std::generic_category().message(error); }

}  // namespace

std::optional<FileId> file_id(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

bool is_image_like(const fs::path& file) {
  // Pictures for the eye, scans and raw files of cameras; what is read is decided elsewhere (is_image_extension).
  static const std::unordered_set<std::string> others{
      ".3fr",  ".apng", ".arw",  ".avif", ".bmp", ".cr2", ".cr3",  ".cur",  ".dcm", ".dcx",  ".dds", ".dib",  ".dicom",
      ".dng",  ".emf",  ".erf",  ".exr",  ".ff",  ".fit", ".fits", ".flif", ".gif", ".hdp",  ".hdr", ".heic", ".heif",
      ".hif",  ".icns", ".ico",  ".iff",  ".j2c", ".j2k", ".jfif", ".jng",  ".jp2", ".jpc",  ".jpe", ".jpeg", ".jpf",
      ".jpg",  ".jpm",  ".jpx",  ".jxl",  ".jxr", ".kdc", ".mng",  ".mrw",  ".nef", ".nrw",  ".orf", ".pam",  ".pbm",
      ".pcd",  ".pct",  ".pcx",  ".pef",  ".pfm", ".pgm", ".pic",  ".pict", ".png", ".pnm",  ".ppm", ".psb",  ".psd",
      ".qoi",  ".raf",  ".ras",  ".rw2",  ".sgi", ".sr2", ".srf",  ".srw",  ".svg", ".svgz", ".tga", ".tif",  ".tiff",
      ".wbmp", ".wdp",  ".webp", ".wmf",  ".x3f", ".xbm", ".xcf",  ".xpm"};
  return is_image_extension(file) || others.contains(lower_extension(file));
}

bool is_video_like(const fs::path& file) {
  // Not .ts: in most folders that is TypeScript.
  static const std::unordered_set<std::string> videos{".3gp",  ".asf", ".avi", ".flv",  ".m2ts", ".m4v",  ".mjpeg",
                                                      ".mjpg", ".mkv", ".mov", ".mp4",  ".mpe",  ".mpeg", ".mpg",
                                                      ".mts",  ".ogv", ".vob", ".webm", ".wmv",  ".y4m"};
  return videos.contains(lower_extension(file));
}

Walk::Walk(fs::path root, Filter filter, std::optional<FileId> exclude)
    : root_(std::move(root)), filter_(std::move(filter)), exclude_(exclude) {}

int Walk::list(Level& level) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(full(level.relative).c_str()), ::closedir);
  if (!dir) return errno;
  errno = 0;
  for (const dirent* entry; (entry = ::readdir(dir.get())); errno = 0) {
    const std::string name = entry->d_name;
    if (name == kLedgerName && !level.relative.empty()) {
      level.names.clear();
      return 0;
    }
    if (is_hidden(entry->d_name)) continue;
    const fs::path relative = level.relative / name;
    bool folder = entry->d_type == DT_DIR, regular = entry->d_type == DT_REG;
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      // A link to nothing is left to the decoder, which says so.
      const bool known = ::stat(full(relative).c_str(), &info) == 0;
      folder = known && S_ISDIR(info.st_mode);
      regular = !known || S_ISREG(info.st_mode);
    }
    if (folder && (!filter_.enters || filter_.enters(relative))) level.names.push_back(name + '/');
    const bool kind =
        is_image_like(relative) || (filter_.videos && is_video_like(relative)) || (regular && is_wanted_scan(relative));
    if (regular && kind && (!filter_.takes || filter_.takes(relative))) level.names.push_back(name);
  }
  const int error = errno;
  std::sort(level.names.begin(), level.names.end());
  return error;
}

// What scanners write is often called "IM000001" or "1.2.840.113619.2.55".
bool Walk::is_wanted_scan(const fs::path& relative) const {
  static const std::unordered_set<std::string> scans{".dcm", ".dicom", ".ima", ".nii"};
  if (!filter_.scans) return false;
  const std::string extension = lower_extension(relative);
  if (scans.contains(extension) || (extension == ".gz" && lower_extension(relative.stem()) == ".nii")) return true;
  const bool digits = std::all_of(extension.begin(), extension.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  return digits && is_scan(full(relative));
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
  const int error = try_again([&] { return level.names.clear(), list(level); });
  levels_.push_back(std::move(level));
  if (error == 0) return std::nullopt;
  return Entry{relative.empty() ? fs::path(".") : relative, reason_of(error), passes(error) ? Fault::passing : Fault::bad, error};
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
    const fs::path relative = level.relative / name;
    if (name.back() != '/') {
      if (is_image_extension(relative) || is_video_like(relative) || is_wanted_scan(relative)) return Entry{relative};
      return Entry{relative, "images with the extension " + lower_extension(relative) + " are not read", Fault::skipped};
    }
    name.pop_back();
    if (auto problem = enter(level.relative / name)) return problem;
  }
  return std::nullopt;
}

FolderImages images_below(const fs::path& folder) { return images_below(folder, {}); }

FolderImages images_below(const fs::path& folder, Walk::Filter filter) {
  check(fs::is_directory(folder), folder.string(), ": expected a folder of images");
  FolderImages found;
  Walk walk(folder, std::move(filter), std::nullopt);
  while (auto entry = walk.next()) {
    const fs::path file = entry->relative == "." ? folder : folder / entry->relative;
    if (entry->fault == Fault::passing) throw FileError(file.string() + ": " + entry->problem, entry->error);
    if (entry->problem.empty()) found.files.push_back(file);
    else found.left_out.push_back({file, file.string() + ": " + entry->problem, entry->fault});
  }
  std::sort(found.files.begin(), found.files.end());
  return found;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
  std::vector<fs::path> entries;
  errno = dir ? 0 : errno;
  if (dir)
    for (const dirent* entry; (entry = ::readdir(dir.get())); errno = 0)
      if (!is_hidden(entry->d_name)) entries.push_back(folder / entry->d_name);
  if (errno != 0) throw FileError(folder.string() + ": " + reason_of(errno), errno);
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace fovea
