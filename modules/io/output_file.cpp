#include "modules/io/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Network file systems report a full disk only when a file is closed.
int sync_and_close(int descriptor, const std::optional<unsigned>& permissions) {
  int error = permissions && ::fchmod(descriptor, *permissions) != 0 ? errno : 0;
  // Pipes, network and user-space file systems do without.
  if (::fsync(descriptor) != 0 && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && error == 0) error = errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  return error;
}

[[noreturn]] void cannot_write(const fs::path& file, int error) {
  const std::string what = error == ENOENT ? "no such file or folder" : std::generic_category().message(error);
  throw FileError(file.string() + ": cannot write: " + what, error);
}

}  // namespace

OutputFile::OutputFile(const fs::path& file) : file_(file), target_(file) {
  struct stat before {};
  if (::stat(file.c_str(), &before) == 0) {
    check(S_ISREG(before.st_mode), file.string(), ": cannot write: it is a folder or device, expected a file name");
    permissions_ = before.st_mode & 07777;
    std::error_code ignored;
    if (fs::is_symlink(file, ignored)) target_ = fs::canonical(file, ignored);
  }
  static std::atomic<unsigned> count{0};
  temporary_ = target_.parent_path() / (".fovea-" + std::to_string(::getpid()) + "-video-" + std::to_string(count++) + ".tmp");
  const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) cannot_write(file, errno);
  ::close(descriptor);
}

OutputFile::~OutputFile() {
  if (!kept_) ::unlink(temporary_.c_str());
}

void OutputFile::keep() {
  const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) cannot_write(file_, errno);
  if (const int error = sync_and_close(descriptor, permissions_)) cannot_write(file_, error);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) cannot_write(file_, errno);
  kept_ = true;
}

}  // namespace fovea
