#include "pipeline/live/event_log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

std::string line_of(const SeenFrame& seen) {
  const double age_ms = std::chrono::duration<double, std::milli>(LiveClock::now() - seen.frame.captured).count();
  nlohmann::ordered_json line{{"frame", seen.frame.number}, {"seconds", seen.frame.seconds}, {"age_ms", age_ms}};
  line.update(seen.answer);
  if (!line.contains("events")) line["events"] = nlohmann::ordered_json::array();
  return dump(line) + "\n";
}

}  // namespace

EventLog::EventLog(const std::string& file, const std::atomic<bool>& stop)
    : name_(file == "-" ? "standard output" : file), stop_(stop), descriptor_(STDOUT_FILENO) {
  if (file != "-") {
    own_.reset(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!own_) throw FileError(name_ + ": cannot write: " + std::generic_category().message(errno), errno);
    descriptor_ = own_.get();
  }
  struct stat info {};
  regular_ = own_ && ::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode);
}

void EventLog::show(const SeenFrame& seen) { write(line_of(seen)); }

// Pieces that a pipe takes at once where poll() says that it has room, so that a slow reader never makes the run deaf for its end.
void EventLog::write(const std::string& line) {
  for (std::size_t at = 0; at < line.size();) {
    if (!regular_ && !wait_for_reader()) return;
    const std::size_t most = regular_ ? line.size() : PIPE_BUF;
    const ssize_t n = ::write(descriptor_, line.data() + at, std::min(most, line.size() - at));
    if (n > 0) at += static_cast<std::size_t>(n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN)) cannot_write(n == 0 ? ENOSPC : errno);
  }
  written_ += static_cast<std::int64_t>(line.size());
}

bool EventLog::wait_for_reader() const {
  pollfd p{descriptor_, POLLOUT, 0};
  while (!stop_)
    if (::poll(&p, 1, 50) > 0) return true;
  return false;
}

void EventLog::cannot_write(int error) {
  const bool cut = regular_ && ::ftruncate(descriptor_, written_) == 0;
  throw EnvironmentError(
      name_ + ": cannot write: " + (error == EPIPE ? "whoever read it is gone" : std::generic_category().message(error)) +
      (cut ? "; the lines so far are whole" : ""));
}

}  // namespace fovea
