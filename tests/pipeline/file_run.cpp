#include "pipeline/file_run.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <new>
#include <regex>
#include <sstream>
#include <tuple>

#include "modules/core/error.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "tests/support/byte_stages.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/unheard.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::Folder;

namespace {

using Hook = std::function<void(Frame&)>;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

// A ledger without what differs from run to run.
std::string timeless(const fs::path& out) {
  return std::regex_replace(text_of(out / kLedgerName), std::regex("\"seconds\":[0-9.e-]+"), "\"seconds\":0");
}

std::size_t files_in(const fs::path& folder) {
  std::size_t count = 0;
  std::error_code gone;
  for (fs::recursive_directory_iterator at(folder, gone), end; !gone && at != end; at.increment(gone))
    count += at->path().extension() == ".png";
  return count;
}

FileRunResult run(const fs::path& in, const fs::path& out, Hook hook = {}, int scale = 2) {
  WorkList work(Inputs({in}, out), out, "same");
  fs::create_directories(out);
  const FolderLock lock(out, test::unheard);
  for (const fs::path& folder : work.folders()) remove_stale_temporaries(folder);
  Ledger ledger(out);
  const auto progress = make_progress(ProgressKind::quiet);
  return run_files(work, ledger, {{"scale", scale}}, test::doubling(std::move(hook)), *progress);
}

// Files 000.png, 001.png, ... in two folders; every fifth one is empty, which its stage refuses.
void fill(const fs::path& in, int count) {
  for (int i = 0; i < count; ++i) {
    char name[32];
    std::snprintf(name, sizeof name, "%s/%03d.png", i % 2 ? "odd" : "even", i);
    write(in / name, i % 5 == 0 ? "" : "content " + std::to_string(i));
  }
}

}  // namespace

TEST_CASE("a run does every file once, quarantines the bad ones, and a rerun does nothing", "[pipeline]") {
  Folder dir;
  fill(dir / "in", 20);
  const FileRunResult first = run(dir / "in", dir / "out");
  CHECK((first.total == 20 && first.done == 16 && first.quarantined == 4 && first.left == 0 && first.up_to_date == 0));
  CHECK(first.exit_code() == kExitQuarantined);
  CHECK(text_of(dir / "out/odd/003.png") == "content 3content 3");
  CHECK_FALSE(fs::exists(dir / "out/even/000.png"));
  CHECK(text_of(dir / "out" / kLedgerName).find("the file is empty") != std::string::npos);

  const std::string ledger = text_of(dir / "out" / kLedgerName);
  const FileRunResult again = run(dir / "in", dir / "out", [](Frame&) { FAIL("nothing is left to do"); });
  CHECK((again.done == 0 && again.up_to_date == 16 && again.quarantined == 4 && again.exit_code() == kExitQuarantined));
  CHECK(text_of(dir / "out" / kLedgerName) == ledger);
}

TEST_CASE("changed inputs, lost outputs and new settings are done again", "[pipeline]") {
  Folder dir;
  fill(dir / "in", 10);
  CHECK(run(dir / "in", dir / "out").done == 8);
  write(dir / "in/odd/001.png", "changed!");
  write(dir / "in/even/000.png", "not empty any more");
  fs::remove(dir / "out/odd/003.png");
  write(dir / "in/even/new.png", "new");
  const FileRunResult result = run(dir / "in", dir / "out");
  CHECK((result.total == 11 && result.done == 4 && result.up_to_date == 6 && result.quarantined == 1));
  CHECK(text_of(dir / "out/odd/001.png") == "changed!changed!");
  CHECK(run(dir / "in", dir / "out", {}, 3).done == 10);
}

TEST_CASE("a file that cannot be opened, or is not there, is one quarantined line", "[pipeline]") {
  Folder dir;
  write(dir / "a.png", "a");
  fs::create_directory(dir / "o");
  WorkList work(Inputs({dir / "a.png", dir / "missing.png"}, dir / "o"), dir / "o", "same");
  Ledger ledger(dir / "o");
  const auto progress = make_progress(ProgressKind::quiet);
  const FileRunResult result = run_files(work, ledger, {}, test::doubling(), *progress);
  CHECK((result.done == 1 && result.quarantined == 1 && result.left == 0));
  CHECK(ledger.find(dir / "missing.png", "missing.png")->reason == "no such file or folder");
}

TEST_CASE("an output whose place is taken by a folder is that file's trouble only", "[pipeline]") {
  Folder dir;
  for (const char* name : {"a.png", "b.png", "c/d.png"}) write(dir / "in" / name, "x");
  fs::create_directories(dir / "out/a.png/x");
  write(dir / "out/c", "a file where a folder should be");
  const FileRunResult result = run(dir / "in", dir / "out");
  CHECK((result.done == 1 && result.quarantined == 2 && result.left == 0));
}

TEST_CASE("an interrupted run keeps what is done and goes on later", "[pipeline]") {
  Folder dir;
  fill(dir / "in", 40);
  std::atomic<int> seen{0};
  const FileRunResult cut = run(dir / "in", dir / "out", [&](Frame&) {
    if (++seen == 5) std::raise(SIGINT);
  });
  CHECK(cut.stopped == "interrupted");
  CHECK(cut.exit_code() == kExitTryAgain);
  CHECK(cut.left > 20);
  CHECK(cut.done >= 5);
  CHECK(cut.done + cut.quarantined + cut.left == 40);
  const FileRunResult rest = run(dir / "in", dir / "out");
  CHECK(rest.up_to_date == cut.done);
  CHECK((rest.done == 32 - cut.done && rest.quarantined == 8 && rest.exit_code() == kExitQuarantined));
}

TEST_CASE("after the first signal the second one ends the process", "[pipeline]") {
  const pid_t child = ::fork();
  if (child == 0) {
    const Interrupt interrupt;
    std::raise(SIGINT);
    if (!Interrupt::requested()) ::_exit(1);
    std::raise(SIGTERM);
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
}

TEST_CASE("a machine that cannot write stops the run; nothing is blamed on the inputs", "[pipeline]") {
  Folder dir;
  fill(dir / "in", 40);
  std::atomic<int> seen{0};
  const FileRunResult full = run(dir / "in", dir / "out", [&](Frame&) {
    if (++seen >= 6) throw EnvironmentError("out: cannot write: the disk is full");
  });
  CHECK(full.stopped.find("disk is full") != std::string::npos);
  CHECK((full.exit_code() == kExitTryAgain && full.done == 5 && full.left > 20));
  const FileRunResult rest = run(dir / "in", dir / "out");
  CHECK((rest.up_to_date == 5 && rest.done == 27 && rest.left == 0));
}

TEST_CASE("what fails for a reason that passes is tried again, then left; the others are done", "[pipeline]") {
  Folder dir;
  fill(dir / "in", 20);
  std::atomic<int> tries{0};
  const auto fails_for = [&](int times) {
    return [&tries, times](Frame& frame) {
      if (frame.source.ends_with("003.png") && tries++ < times) throw FileError("003.png: cannot read: a broken disk", EIO);
      if (frame.source.ends_with("007.png") && times > 1) throw std::bad_alloc();
    };
  };
  const FileRunResult left = run(dir / "in", dir / "out", fails_for(1000));
  CHECK((left.done == 14 && left.quarantined == 4 && left.left == 2));
  CHECK(left.exit_code() == kExitTryAgain);
  const bool named = left.stopped.find("003.png: ") != std::string::npos ||  // whichever came first
                     left.stopped.find("007.png: not enough memory") != std::string::npos;
  CHECK(named);
  CHECK(tries == 2);
  CHECK_FALSE(Ledger(dir / "out").find(dir / "in/odd/003.png", "odd/003.png"));  // nothing is held against it
  tries = 0;
  const FileRunResult again = run(dir / "in", dir / "out", fails_for(1));
  CHECK((again.done == 2 && again.left == 0 && again.stopped.empty()));
  CHECK(text_of(dir / "out/odd/003.png") == "content 3content 3");
}

TEST_CASE("a machine that goes on failing is not asked for every file", "[pipeline]") {
  Folder dir;
  for (int i = 0; i < 40; ++i) write(dir / "in" / (std::to_string(100 + i) + ".png"), "x");
  std::atomic<int> tries{0};
  const FileRunResult none = run(dir / "in", dir / "out", [&](Frame&) {
    ++tries;
    throw FileError("cannot read", ESTALE);
  });
  CHECK((none.done == 0 && none.left == 40 && tries == 43));
}

TEST_CASE("records of this run: its inputs, its settings, also where it was stopped", "[pipeline]") {
  Folder dir;
  for (int i = 0; i < 20; ++i) write(dir / "in" / (std::to_string(100 + i) + ".png"), "x");
  run(dir / "in", dir / "out");
  fs::remove(dir / "in/100.png");
  const auto shown = [&](const fs::path& in, int scale, Hook hook = {}) {
    WorkList work(Inputs({in}, dir / "out"), dir / "out", "same");
    Ledger ledger(dir / "out");
    const FileRunResult result =
        run_files(work, ledger, {{"scale", scale}}, test::doubling(std::move(hook)), *make_progress(ProgressKind::quiet));
    return std::tuple(ledger.present(Record::State::done).size(), result.others.inputs, result.others.settings);
  };
  CHECK(shown(dir / "in", 2) == std::tuple<std::size_t, std::size_t, std::size_t>(19, 1, 0));
  CHECK(shown(dir / "in/101.png", 2) == std::tuple<std::size_t, std::size_t, std::size_t>(1, 19, 0));
  CHECK(shown(dir / "in/101.png", 3) == std::tuple<std::size_t, std::size_t, std::size_t>(1, 0, 19));
  // One has to be done again, and that ends the run: what was done before is shown all the same.
  const auto stopped = shown(dir / "in", 2, [](Frame&) { throw EnvironmentError("the disk is full"); });
  CHECK(stopped == std::tuple<std::size_t, std::size_t, std::size_t>(18, 1, 1));
}

TEST_CASE("images of formats that are not read are skipped and said", "[pipeline]") {
  Folder dir;
  write(dir / "in/a.png", "a");
  write(dir / "in/b.psd", "b");
  for (int round = 0; round < 2; ++round) {
    const FileRunResult result = run(dir / "in", dir / "out");
    CHECK((result.total == 1 && result.done + result.up_to_date == 1 && result.quarantined == 0));
    REQUIRE(result.skipped.size() == 1);
    CHECK(
        (result.skipped[0].source == (dir / "in/b.psd").string() && result.skipped[0].reason.find(".psd") != std::string::npos));
    CHECK((result.exit_code() == kExitDone && result.exit_code(true) == kExitQuarantined));
  }
  CHECK(Ledger(dir / "out").find(dir / "in/b.psd", "")->state == Record::State::skipped);
  fs::remove(dir / "in/b.psd");
  CHECK(run(dir / "in", dir / "out").skipped.empty());
  CHECK_FALSE(Ledger(dir / "out").find(dir / "in/b.psd", ""));
}

TEST_CASE("a disk that is really full", "[pipeline]") {
  Folder dir;
  fs::create_directory(dir / "small");
  if (::mount("tmpfs", (dir / "small").c_str(), "tmpfs", 0, "size=256k") != 0) SKIP_TEST("a small disk cannot be mounted here");
  for (int i = 0; i < 20; ++i) write(dir / "in" / (std::to_string(100 + i) + ".png"), std::string(20000, 'x'));
  const FileRunResult full = run(dir / "in", dir / "small/out");
  CHECK(full.exit_code() == kExitTryAgain);
  CHECK(full.stopped.find("the disk is full") != std::string::npos);
  CHECK((full.done >= 3 && full.quarantined == 0 && full.left > 10));
  std::size_t whole = 0;
  for (const auto& entry : fs::directory_iterator(dir / "small/out")) {
    if (entry.path().extension() != ".png") continue;
    CHECK(fs::file_size(entry.path()) == 40000);
    ++whole;
  }
  CHECK(whole >= full.done);
  CHECK(::umount((dir / "small").c_str()) == 0);
}

// The program that the test below kills: it is started anew, because TBB's threads do not survive a fork.
TEST_CASE("helper: a slow run", "[.killed-run]") {
  const char* folder = std::getenv("FOVEA_TEST_KILLED_RUN");
  if (!folder) return;
  run(fs::path(folder) / "in", fs::path(folder) / "out", [](Frame&) { ::usleep(5000); });
}

TEST_CASE("a run killed at any point ends like one that was not", "[pipeline]") {
  Folder dir;
  fill(dir / "in", 100);
  run(dir / "in", dir / "calm");
  std::size_t outputs = 0;
  for (int kill = 1; kill <= 5; ++kill) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("FOVEA_TEST_KILLED_RUN", dir.path().c_str(), 1);
      ::freopen("/dev/null", "w", stdout);
      ::execl("/proc/self/exe", "fovea_tests", "[.killed-run]", nullptr);
      ::_exit(9);
    }
    // Killed as soon as it has written something more: in the middle of its work on any machine.
    for (int wait = 0; wait < 2000 && files_in(dir / "out") <= outputs + 3; ++wait) ::usleep(2000);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    outputs = files_in(dir / "out");
    CHECK(outputs < 80);
  }
  const FileRunResult last = run(dir / "in", dir / "out");
  CHECK((last.up_to_date >= 15 && last.done + last.up_to_date == 80 && last.quarantined == 20 && last.left == 0));
  CHECK(timeless(dir / "out") == timeless(dir / "calm"));
  CHECK(files_in(dir / "out") == 80);
  CHECK(files_in(dir / "calm") == 80);
  std::size_t stale = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir / "out")) stale += entry.path().extension() == ".tmp";
  CHECK(stale == 0);
}
