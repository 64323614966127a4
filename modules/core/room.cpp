#include "modules/core/room.hpp"

#include <sys/mman.h>

#include <string>

#include "modules/core/memory.hpp"

namespace fovea::memory {
namespace {

// A kernel's buffer is 256 KiB and grows; a convolution has up to some dozens of kernels, and several threads may make one at once.
constexpr std::size_t kRoom = std::size_t{48} << 20;
constexpr std::size_t kThread = std::size_t{10} << 20;  // the usual stack, and what the thread begins with

}  // namespace

void check_room(std::size_t threads) {
  const std::size_t bytes = kRoom + threads * kThread;
  void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED)
    throw OutOfMemory("memory: the system refuses " + std::to_string(bytes >> 20) + " MiB for generated code" +
                      (threads > 0 ? " and threads" : "") +
                      "; allow the process more, or use smaller tiles, batches or fewer jobs");
  ::munmap(room, bytes);
}

}  // namespace fovea::memory
