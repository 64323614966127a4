#include "pipeline/sinks/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// ".fovea-PID-NUMBER.tmp"
bool is_temporary(std::string_view name) {
  constexpr std::string_view head = ".fovea-", tail = ".tmp";
  if (!name.starts_with(head) || !name.ends_with(tail) || name.size() <= head.size() + tail.size()) return false;
  name = name.substr(head.size(), name.size() - head.size() - tail.size());
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

// Network and user-space file systems do without some calls.
bool is_missing(int error) { return error == ENOSYS || error == ENOLCK || error == EOPNOTSUPP; }

}  // namespace

FolderLock::FolderLock(const fs::path& folder, const std::function<void(const std::string&)>& warn)
    : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  const auto told = [&](const char* what, int error) {
    return folder.string() + what + ": " + std::generic_category().message(error);
  };
  if (fd_ < 0) throw FileError(told(": cannot open the output folder", errno), errno);
  const int error = ::flock(fd_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  if (error != 0 && !is_missing(error)) {
    ::close(fd_);
    if (error != EWOULDBLOCK) throw FileError(told(": cannot lock the output folder", error), error);
    throw FolderBusy(folder.string() + ": another run is writing into this folder; wait until it ends, or choose another one");
  }
  if (error != 0) warn(told(": this file system has no locks; let no other run write into the folder meanwhile", error));
  if (::fsync(fd_) != 0 && is_missing(errno))
    warn(told(": this file system cannot sync; a power cut may lose finished files", errno));
}

FolderLock::~FolderLock() { ::close(fd_); }

int remove_stale_temporaries(const fs::path& folder) {
  int removed = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at.depth() > 0) at.disable_recursion_pending();  // deeper ones are other outputs' own
    if (is_temporary(at->path().filename().string()) && at->is_regular_file(ignored) && fs::remove(at->path(), ignored))
      ++removed;
  }
  return removed;
}

}  // namespace fovea
