#include "modules/io/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <thread>

#include "modules/core/error.hpp"
#include "modules/io/descriptor.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call

std::string reason(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "the disk is full";
    case ENOENT: return "no such file or folder";
    case EACCES:
    case EPERM: return "permission denied";
    case EROFS: return "the file system is read-only";
    case EFBIG: return "the file would be larger than allowed here";
    case EIO: return "the disk or the network reported an error";
    case ESTALE: return "the network file system lost the file";
    case EMFILE:
    case ENFILE: return "too many files are open";
    case ENOMEM: return "not enough memory";
    default: return std::generic_category().message(error);
  }
}

[[noreturn]] void cannot(const char* verb, const fs::path& file, int error) {
  throw FileError(file.string() + ": cannot " + verb + ": " + reason(error), error);
}

// Removes the file unless told that it was renamed.
struct Temporary {
  fs::path path;
  bool kept = false;
  ~Temporary() {
    if (!kept) ::unlink(path.c_str());
  }
};

void write_all(int fd, std::span<const Bytes> parts, const fs::path& file) {
  for (const Bytes& part : parts) {
    const char* at = static_cast<const char*>(part.data);
    for (std::size_t left = part.size; left > 0;) {
      const ssize_t n = ::write(fd, at, std::min(left, kPiece));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) cannot("write", file, errno);
      if (n == 0) cannot("write", file, ENOSPC);
      at += n;
      left -= static_cast<std::size_t>(n);
    }
  }
}

// Pipes, network and user-space file systems do without.
bool cannot_sync_here(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP; }

void write_directly(const fs::path& file, std::span<const Bytes> parts) {
  Descriptor out(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (out.get() < 0) cannot("write", file, errno);
  write_all(out.get(), parts, file);
  if (out.close() != 0) cannot("write", file, errno);
}

// A short name of its own: the target's name may already be as long as names can be.
fs::path temporary_beside(const fs::path& file) {
  static std::atomic<unsigned> count{0};
  return file.parent_path() / (".fovea-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmp");
}

}  // namespace

bool passes(int error) {
  switch (error) {
    case EAGAIN:
    case EBUSY:
    case ECONNABORTED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EINTR:
    case EIO:
    case EMFILE:
    case ENETDOWN:
    case ENETUNREACH:
    case ENFILE:
    case ENOBUFS:
    case ENOLCK:
    case ENOMEM:
    case ENOTCONN:
    case EREMOTEIO:
    case ESHUTDOWN:
    case ESTALE:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

int try_again(const std::function<int()>& call) {
  for (const int pause : {50, 200}) {  // milliseconds
    if (const int error = call(); !passes(error)) return error;
    std::this_thread::sleep_for(std::chrono::milliseconds(pause));
  }
  return call();
}

namespace {

std::vector<std::uint8_t> read_once(const fs::path& file) {
  Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) cannot("read", file, errno);
  struct stat info {};
  if (::fstat(in.get(), &info) != 0) cannot("read", file, errno);
  check(!S_ISDIR(info.st_mode), file.string(), ": cannot read: it is a folder, expected a file");
  std::vector<std::uint8_t> bytes;
  try {
    // One byte more than the file says, so that the usual file ends without growing the buffer.
    bytes.resize(S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) + 1 : 65536);
    for (std::size_t used = 0;;) {
      if (used == bytes.size()) bytes.resize(used * 2);
      const ssize_t n = ::read(in.get(), bytes.data() + used, std::min(bytes.size() - used, kPiece));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) cannot("read", file, errno);
      used += static_cast<std::size_t>(n);
      if (n > 0) continue;
      bytes.resize(used);
      return bytes;
    }
  } catch (const std::bad_alloc&) {
    throw FileError(file.string() + ": cannot read: not enough memory for its " + std::to_string(info.st_size) + " bytes",
                    ENOMEM);
  }
}

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& file) {
  std::vector<std::uint8_t> bytes;
  std::exception_ptr failure;
  try_again([&] {
    try {
      bytes = read_once(file);
      failure = nullptr;
      return 0;
    } catch (const FileError& e) {
      failure = std::current_exception();
      return e.code;
    }
  });
  if (failure) std::rethrow_exception(failure);
  return bytes;
}

void write_file_atomically(const fs::path& file, const void* data, std::size_t size) {
  const Bytes part{data, size};
  write_file_atomically(file, std::span(&part, 1));
}

void write_file_atomically(const fs::path& file, std::span<const Bytes> parts) {
  struct stat before {};
  const bool exists = ::stat(file.c_str(), &before) == 0;
  check(!exists || !S_ISDIR(before.st_mode), file.string(), ": cannot write: it is a folder, expected a file name");
  if (exists && !S_ISREG(before.st_mode)) return write_directly(file, parts);
  std::error_code ignored;
  const fs::path target = exists && fs::is_symlink(file, ignored) ? fs::canonical(file, ignored) : file;

  const fs::path name = temporary_beside(target);
  Descriptor out(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (out.get() < 0) cannot("write", file, errno);
  Temporary temporary{name};
  write_all(out.get(), parts, file);
  if (exists && ::fchmod(out.get(), before.st_mode & 07777) != 0) cannot("write", file, errno);
  if (::fsync(out.get()) != 0 && !cannot_sync_here(errno)) cannot("write", file, errno);
  if (out.close() != 0) cannot("write", file, errno);
  if (::rename(name.c_str(), target.c_str()) != 0) cannot("write", file, errno);
  temporary.kept = true;
}

}  // namespace fovea
