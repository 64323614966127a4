#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "datasets/scans/header.hpp"
#include "datasets/scans/patient.hpp"
#include "datasets/scans/scan.hpp"
#include "datasets/scans/worker.hpp"
#include "datasets/scans/worker_protocol.hpp"
#include "modules/core/error.hpp"
#include "modules/core/json.hpp"
#include "modules/io/descriptor.hpp"
#include "modules/io/files.hpp"

extern char** environ;

namespace fovea {
namespace {

namespace fs = std::filesystem;
using namespace scan_worker;

constexpr std::size_t kMostJson = std::size_t{16} << 20, kLongestReason = 1 << 16;
constexpr std::size_t kIdle = 8;  // workers that wait for the next file
constexpr const char* kProgram = "fovea-scan-worker";

fs::path program_of(const ScanWorkerOptions& options) {
  if (!options.program.empty()) return options.program;
  if (const char* given = std::getenv("FOVEA_SCAN_WORKER"); given && *given) return given;
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& place : {folder / kProgram, folder.parent_path() / "libexec" / kProgram})
    if (!error && fs::exists(place, error)) return place;
  return fs::path(FOVEA_SCAN_WORKER_INSTALLED);
}

// A file as the worker is told of it, in full, and as people gave it.
struct Names {
  explicit Names(const fs::path& file) : full(fs::absolute(file).string()), given(file.string()) {}
  std::string reason(std::string_view told) const {
    return given + (told.starts_with(full) ? std::string(told.substr(full.size())) : ": " + std::string(told));
  }
  const std::string full, given;
};

// One process, and what it is told and tells.
class Worker {
 public:
  explicit Worker(const ScanWorkerOptions& options) : options_(options) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_to_start(errno);
    socket_.reset(ends[0]);
    const Descriptor theirs(ends[1]);
    start(theirs.get());
  }
  ~Worker() { end(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool alive() const { return pid_ > 0; }
  bool is_ours() const { return alive() && ::getpid() == starter_; }

  // Error where the file is refused, or ended the process or its time; FileError where the machine failed.
  Message ask(const Message& question, Kind expected, std::size_t most, const Names& file) {
    check(alive(), file.given, ": its decoder has ended");
    Received answer{std::nullopt, Silence::gone};
    if (send(socket_.get(), question)) answer = receive(socket_.get(), std::max(most, kLongestReason), options_.seconds);
    if (!answer.message) fail_after(answer.why, file.given);
    Message& m = *answer.message;
    if (m.kind == Kind::refused) fail(file.reason(m.bytes));
    if (m.kind == Kind::failed)
      throw FileError(file.reason(std::string_view(m.bytes).substr(std::min<std::size_t>(4, m.bytes.size()))),
                      number_in(m.bytes, 0));
    check(m.kind == expected, file.given, ": damaged: its decoder gives no sensible answer");
    return std::move(m);
  }

 private:
  [[noreturn]] void fail_to_start(int error) const {
    throw FileError(fmt::format("scans: cannot start their decoder, {}: {}; FOVEA_SCAN_WORKER may say where it is",
                                program_of(options_).string(), std::strerror(error)),
                    error);
  }

  void start(int theirs) {
    const std::string program = program_of(options_).string(), memory = std::to_string(options_.memory);
    posix_spawn_file_actions_t actions;
    if (::posix_spawn_file_actions_init(&actions) != 0) fail_to_start(ENOMEM);
    // As standard input, which also takes the mark off that closes it.
    ::posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
    // What libraries say when they give up is in the answer, or in how it ends.
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO})
      ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
    const char* arguments[] = {kProgram, memory.c_str(), nullptr};
    const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, const_cast<char**>(arguments), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      pid_ = -1;
      fail_to_start(error);
    }
  }

  // Gives how it ended.
  int end() {
    if (!alive()) return 0;
    socket_.reset();
    if (::getpid() != starter_) {  // a child of fork() holds a copy of what is its parent's
      pid_ = -1;
      return 0;
    }
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
    return status;
  }

  [[noreturn]] void fail_after(Silence why, const std::string& file) {
    if (why == Silence::late) {
      end();
      fail(file, ": decoding it took more than ", options_.seconds, " seconds");
    }
    // It has closed its side: wait for its own end a moment, so that the reason is not our signal.
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < 200 && ended == 0; ++i) {
      ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == 0) ::usleep(5000);
    }
    if (ended == pid_) pid_ = -1;
    else status = end();
    const std::string how = WIFSIGNALED(status) ? fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                                : fmt::format("exit code {}", WEXITSTATUS(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) fail_to_start(ENOEXEC);
    fail(file, ": damaged: its decoder ended by ", how);
  }

  const ScanWorkerOptions options_;
  const pid_t starter_ = ::getpid();
  pid_t pid_ = -1;
  Descriptor socket_;
};

// Workers are started as many as are in use at once.
class Pool {
 public:
  std::unique_ptr<Worker> take() {
    std::unique_lock lock(mutex_);
    while (!idle_.empty()) {
      auto worker = std::move(idle_.back());
      idle_.pop_back();
      if (worker->is_ours()) return worker;
    }
    const ScanWorkerOptions options = options_;
    lock.unlock();
    return std::make_unique<Worker>(options);
  }
  void give_back(std::unique_ptr<Worker> worker, std::uint64_t generation) {
    const std::lock_guard lock(mutex_);
    if (worker->is_ours() && generation == generation_ && idle_.size() < kIdle) idle_.push_back(std::move(worker));
  }
  void set(const ScanWorkerOptions& options) {
    const std::lock_guard lock(mutex_);
    options_ = options;
    ++generation_;
    idle_.clear();
  }
  std::uint64_t generation() {
    const std::lock_guard lock(mutex_);
    return generation_;
  }

 private:
  std::mutex mutex_;
  ScanWorkerOptions options_;
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<Worker>> idle_;
};

Pool& pool() {
  static Pool all;
  return all;
}

// A worker for as long as somebody needs it.
class Borrowed {
 public:
  Borrowed() : generation_(pool().generation()), worker_(pool().take()) {}
  ~Borrowed() { pool().give_back(std::move(worker_), generation_); }
  Worker& operator*() const { return *worker_; }

 private:
  std::uint64_t generation_;
  std::unique_ptr<Worker> worker_;
};

class WorkerScan final : public Scan {
 public:
  explicit WorkerScan(const fs::path& file) : file_(file) {
    description_ = description_in(told({Kind::open, file_.full}, Kind::json, kMostJson).bytes, file_.given);
  }

  const ScanInfo& info() const override { return description_.info; }
  std::optional<VoiLut> voi_lut() const override { return description_.lut; }

  FrameInfo frame_info(int frame) const override {
    check_frame(frame);
    return frame_info_in(told({Kind::frame_info, number_bytes(frame)}, Kind::json, kMostJson).bytes, file_.given);
  }

  cv::Mat frame(int frame) const override {
    check_frame(frame);
    constexpr std::size_t kHead = 12, kMostInPixel = 6;
    const std::size_t pixels = static_cast<std::size_t>(info().rows) * static_cast<std::size_t>(info().columns);
    const Message m = told({Kind::frame, number_bytes(frame)}, Kind::pixels, kHead + kMostInPixel * pixels);
    const int rows = number_in(m.bytes, 0), columns = number_in(m.bytes, 4), type = number_in(m.bytes, 8);
    const bool known = type == CV_32FC1 || type == CV_8UC3 || type == CV_16UC3;
    check(known && rows == info().rows && columns == info().columns &&
              m.bytes.size() == kHead + pixels * static_cast<std::size_t>(CV_ELEM_SIZE(type)),
          file_.given, ": damaged: its decoder gives no sensible answer");
    cv::Mat out(rows, columns, type);
    std::memcpy(out.data, m.bytes.data() + kHead, m.bytes.size() - kHead);
    return out;
  }

 private:
  void check_frame(int frame) const {
    check(frame >= 0 && frame < info().frames, file_.given, ": expected a frame from 0 to ", info().frames - 1, ", got ", frame);
  }
  // One question at a time.
  Message told(const Message& question, Kind expected, std::size_t most) const {
    const std::lock_guard lock(mutex_);
    return (*worker_).ask(question, expected, most, file_);
  }

  const Names file_;
  Borrowed worker_;
  mutable std::mutex mutex_;
  Description description_;
};

}  // namespace

void set_scan_worker(const ScanWorkerOptions& options) { pool().set(options); }

std::unique_ptr<Scan> open_scan(const fs::path& file) { return std::make_unique<WorkerScan>(file); }

std::vector<std::pair<std::string, std::string>> read_patient(const fs::path& file) {
  const Borrowed worker;
  const Names names(file);
  const Message m = (*worker).ask({Kind::patient, names.full}, Kind::json, kMostJson, names);
  std::vector<std::pair<std::string, std::string>> out;
  for (const JsonValue& pair : JsonValue::parse(m.bytes, file.string()).items()) {
    const auto items = pair.items();
    check(items.size() == 2, file.string(), ": damaged: its decoder gives no sensible answer");
    out.emplace_back(items[0].text(), items[1].text());
  }
  return out;
}

std::string read_header(const fs::path& file) {
  const Borrowed worker;
  const Names names(file);
  return (*worker).ask({Kind::header, names.full}, Kind::dataset, kMostJson, names).bytes;
}

}  // namespace fovea
