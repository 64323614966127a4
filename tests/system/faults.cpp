// A machine that fails on command, for tests: loaded in front of the C library (LD_PRELOAD), it makes calls fail as a full table of files, a
// broken disk, a network file system or too little memory would.
//
// FOVEA_FAULTS="CALL:ERRNO:TIMES:PART,...": CALL (open, opendir, stat, read, write, flock, fsync, aligned_alloc) fails with ERRNO the first TIMES
// times (0: always) that its path contains PART, or, of aligned_alloc, that it asks for PART bytes or more.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

struct Rule {
  char call[24] = {}, part[200] = {};  // all of it initialised by the linker: calls come before constructors
  int error = 0, times = 0;
  std::atomic<int> used{0};
};

Rule rules[8];

int read_rules() {
  const char* at = std::getenv("FOVEA_FAULTS");
  int count = 0;
  // No allocation in here: allocation is one of the calls that fail.
  for (; at && *at && count < 8; ++count) {
    Rule& r = rules[count];
    std::size_t n = std::strcspn(at, ":");
    std::memcpy(r.call, at, n < sizeof r.call ? n : sizeof r.call - 1);
    char* end = nullptr;
    r.error = static_cast<int>(std::strtol(at + n + 1, &end, 10));
    r.times = static_cast<int>(std::strtol(end + 1, &end, 10));
    at = end + 1;
    n = std::strcspn(at, ",");
    std::memcpy(r.part, at, n < sizeof r.part ? n : sizeof r.part - 1);
    at += n;
    if (*at == ',') ++at;
  }
  return count;
}

bool fails(const char* call, const char* path, std::size_t size = 0) {
  static const int count = read_rules();
  for (int i = 0; i < count; ++i) {
    Rule& r = rules[i];
    if (std::strcmp(r.call, call) != 0) continue;
    if (path ? !std::strstr(path, r.part) : size < std::strtoull(r.part, nullptr, 10)) continue;
    if (r.times != 0 && r.used.fetch_add(1) >= r.times) continue;
    errno = r.error;
    return true;
  }
  return false;
}

bool fails(const char* call, int fd) {
  char link[64] = "/proc/self/fd/", path[4096];
  char digits[16];
  int n = 0;
  for (int v = fd; v > 0 || n == 0; v /= 10) digits[n++] = static_cast<char>('0' + v % 10);
  for (std::size_t at = std::strlen(link); n > 0; link[++at] = 0) link[at] = digits[--n];
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = 0;
  return fails(call, path);
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
  va_end(more);
  static const auto real = next<int (*)(const char*, int, ...)>("open");
  return fails("open", path) ? -1 : real(path, flags, mode);
}

DIR* opendir(const char* path) {
  static const auto real = next<DIR* (*)(const char*)>("opendir");
  return fails("opendir", path) ? nullptr : real(path);
}

int stat(const char* path, struct stat* info) {
  static const auto real = next<int (*)(const char*, struct stat*)>("stat");
  return fails("stat", path) ? -1 : real(path, info);
}

ssize_t read(int fd, void* to, size_t size) {
  static const auto real = next<ssize_t (*)(int, void*, size_t)>("read");
  return fails("read", fd) ? -1 : real(fd, to, size);
}

ssize_t write(int fd, const void* from, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return fails("write", fd) ? -1 : real(fd, from, size);
}

int flock(int fd, int how) {
  static const auto real = next<int (*)(int, int)>("flock");
  return fails("flock", fd) ? -1 : real(fd, how);
}

int fsync(int fd) {
  static const auto real = next<int (*)(int)>("fsync");
  return fails("fsync", fd) ? -1 : real(fd);
}

void* aligned_alloc(size_t alignment, size_t size) {
  static const auto real = next<void* (*)(size_t, size_t)>("aligned_alloc");
  return fails("aligned_alloc", nullptr, size) ? nullptr : real(alignment, size);
}

}  // extern "C"
