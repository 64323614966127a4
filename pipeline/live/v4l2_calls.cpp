#include "pipeline/live/v4l2_calls.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace fovea {
namespace {

template <class Call>
int uninterrupted(const Call& call) {
  int result;
  do result = call();
  while (result == -1 && errno == EINTR);
  return result;
}

}  // namespace

int CameraCalls::open(const std::string& path) {
  return uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC); });
}

void CameraCalls::close(int descriptor) { ::close(descriptor); }

int CameraCalls::ioctl(int descriptor, unsigned long request, void* argument) {
  return uninterrupted([&] { return ::ioctl(descriptor, request, argument); });
}

int CameraCalls::poll(int descriptor, int milliseconds) {
  pollfd p{descriptor, POLLIN, 0};
  return uninterrupted([&] { return ::poll(&p, 1, milliseconds); });
}

void* CameraCalls::map(int descriptor, std::size_t length, long offset) {
  void* const memory = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, descriptor, offset);
  return memory == MAP_FAILED ? nullptr : memory;
}

void CameraCalls::unmap(void* memory, std::size_t length) { ::munmap(memory, length); }

CameraCalls& camera_calls() {
  static CameraCalls calls;
  return calls;
}

}  // namespace fovea
