#include "apps/fovea/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <streambuf>
#include <string>
#include <system_error>

#include "modules/core/text.hpp"
#include "pipeline/exit_codes.hpp"

namespace fovea {
namespace {

// Stands between a stream and where it wrote. By whole lines, or up to a flush, so that no character comes in two halves.
class TextOnly final : public std::streambuf {
 public:
  explicit TextOnly(std::ostream& stream) : stream_(stream), inner_(stream.rdbuf(this)) {}
  ~TextOnly() override {
    TextOnly::sync();
    stream_.rdbuf(inner_);
  }

 protected:
  std::streamsize xsputn(const char* text, std::streamsize count) override {
    const std::lock_guard lock(mutex_);
    pending_.append(text, static_cast<std::size_t>(count));
    return write_out(pending_.rfind('\n') + 1) ? count : 0;
  }
  int overflow(int c) override {
    const char one = traits_type::to_char_type(c);
    return traits_type::eq_int_type(c, traits_type::eof()) || xsputn(&one, 1) == 1 ? traits_type::not_eof(c) : traits_type::eof();
  }
  int sync() override {
    const std::lock_guard lock(mutex_);
    return write_out(pending_.size()) ? inner_->pubsync() : -1;
  }

 private:
  bool write_out(std::size_t bytes) {
    const std::string clean = printable_lines(std::string_view(pending_).substr(0, bytes));
    pending_.erase(0, bytes);
    const auto count = static_cast<std::streamsize>(clean.size());
    return count == 0 || inner_->sputn(clean.data(), count) == count;
  }

  std::ostream& stream_;
  std::streambuf* inner_;
  std::mutex mutex_;
  std::string pending_;
};

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
  static TextOnly out(std::cout), err(std::cerr);
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
