#include "apps/fovea/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <system_error>

#include "pipeline/exit_codes.hpp"

namespace fovea {
namespace {

bool reader_went_away() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

void prepare_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    while (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      if (::open("/dev/null", O_RDONLY) < 0) return;  // takes the lowest free number
  std::signal(SIGPIPE, SIG_IGN);
}

int finish_standard_output(int exit_code) {
  errno = 0;
  std::cout.flush();
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
  const int error = errno;
  if (!failed) return exit_code;
  if (error == EPIPE || reader_went_away()) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  std::cerr << "fovea: standard output cannot be written" << (error ? ": " + std::generic_category().message(error) : "")
            << "; what was printed is not complete\n";
  return exit_code == kExitDone || exit_code == kExitQuarantined ? kExitTryAgain : exit_code;
}

}  // namespace fovea
