// Decodes scans for a program that has started it (datasets/scans/worker.hpp): questions and answers go over the socket that is its standard input.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "datasets/scans/worker.hpp"

int main(int count, char** arguments) {
  int type = 0;
  socklen_t size = sizeof type;
  if (count != 2 || ::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    std::fputs("fovea-scan-worker: decodes scans for fovea, which starts it; it is not for people\n", stderr);
    return 64;
  }
  const rlim_t memory = std::strtoull(arguments[1], nullptr, 10);
  const rlimit limit{memory, memory}, none{0, 0};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes that it does not use
  if (memory > 0) ::setrlimit(RLIMIT_AS, &limit);
#endif
  ::setrlimit(RLIMIT_CORE, &none);
  // Ctrl-C goes to all of a terminal's processes: the one that asks decides when it is over.
  std::signal(SIGINT, SIG_IGN);
  return fovea::serve_scans(STDIN_FILENO);
}
