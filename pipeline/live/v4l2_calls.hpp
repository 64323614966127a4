// The system calls that a camera takes, in one place, so that tests put a camera of their own behind them.
#pragma once

#include <cstddef>
#include <string>

namespace fovea {

// Failures as in POSIX: -1 (of map: null) and errno; calls that a signal interrupted are made again.
class CameraCalls {
 public:
  virtual ~CameraCalls() = default;
  virtual int open(const std::string& path);  // for reading and writing, non-blocking
  virtual void close(int descriptor);
  virtual int ioctl(int descriptor, unsigned long request, void* argument);
  virtual int poll(int descriptor,
                   int milliseconds);  // 0: nothing happened; otherwise a picture is there or something went wrong
  virtual void* map(int descriptor, std::size_t length, long offset);  // shared, for reading
  virtual void unmap(void* memory, std::size_t length);
};

CameraCalls& camera_calls();  // the system's

}  // namespace fovea
