#include "tests/bench/child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "modules/core/error.hpp"

namespace fovea::bench {
namespace {

struct Pipe {
  int read_end, write_end;
};

Pipe make_pipe() {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC) == 0, "bench: no pipe");
  return {ends[0], ends[1]};
}

// in, out: what become its standard input (-1: ours) and output.
pid_t start(const std::vector<std::string>& command, int in, int out) {
  std::vector<char*> arguments;
  for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  pid_t child;
  const int error = posix_spawn(&child, command.front().c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  check(error == 0, "bench: cannot start ", command.front());
  return child;
}

}  // namespace

std::string output_of(const std::vector<std::string>& command) {
  const Pipe out = make_pipe();
  const pid_t child = start(command, -1, out.write_end);
  close(out.write_end);
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t n;
  while ((n = read(out.read_end, buffer.data(), buffer.size())) > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
  close(out.read_end);
  int status = 0;
  waitpid(child, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "bench: ", command.front(), ": expected exit code 0, got ",
        WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return text;
}

Child::Child(const std::vector<std::string>& command) : name_(command.front()) {
  std::signal(SIGPIPE, SIG_IGN);  // a program that ended shows when it is read from
  const Pipe in = make_pipe(), out = make_pipe();
  process_ = start(command, in.read_end, out.write_end);
  close(in.read_end);
  close(out.write_end);
  in_ = in.write_end, out_ = out.read_end;
}

Child::Child(Child&& other) noexcept
    : name_(std::move(other.name_)),
      pending_(std::move(other.pending_)),
      process_(std::exchange(other.process_, -1)),
      in_(other.in_),
      out_(other.out_) {}

Child::~Child() {
  if (process_ < 0) return;
  close(in_);
  close(out_);
  waitpid(process_, nullptr, 0);
}

std::string Child::ask(const std::string& line) {
  const std::string text = line + "\n";
  check(write(in_, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "bench: ", name_, " has ended");
  return read_line();
}

std::string Child::read_line() {
  std::size_t end;
  while ((end = pending_.find('\n')) == std::string::npos) {
    std::array<char, 4096> buffer;
    const ssize_t n = read(out_, buffer.data(), buffer.size());
    check(n > 0, "bench: ", name_, " has ended");
    pending_.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const std::string line = pending_.substr(0, end);
  pending_.erase(0, end + 1);
  return line;
}

}  // namespace fovea::bench
