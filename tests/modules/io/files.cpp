#include "modules/io/files.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/skip.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  const auto bytes = read_file(file);
  return {bytes.begin(), bytes.end()};
}

std::string error_of(const auto& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "no error";
}

// Makes the system refuse to write past `bytes` of any file, as a full disk does.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) {
    previous_signal_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &previous_);
    const rlimit limit{bytes, previous_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &previous_);
    ::signal(SIGXFSZ, previous_signal_);
  }

 private:
  rlimit previous_{};
  void (*previous_signal_)(int);
};

}  // namespace

TEST_CASE("a file is written whole and read back", "[io]") {
  test::Folder folder;
  const std::string text(100'000, 'x'), shorter = "short";
  write_file_atomically(folder / "a", text.data(), text.size());
  CHECK(text_of(folder / "a") == text);
  write_file_atomically(folder / "a", shorter.data(), shorter.size());
  CHECK(text_of(folder / "a") == shorter);
  write_file_atomically(folder / "empty", nullptr, 0);
  CHECK(read_file(folder / "empty").empty());
  const std::string longest(255, 'n');
  write_file_atomically(folder / longest, text.data(), text.size());
  CHECK(text_of(folder / longest) == text);
  CHECK(folder.entries() == 3);
}

TEST_CASE("permissions and links outlive a rewrite", "[io]") {
  test::Folder folder;
  write_file_atomically(folder / "real", "one", 3);
  fs::permissions(folder / "real", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("real", folder / "link");
  write_file_atomically(folder / "link", "two", 3);
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(text_of(folder / "real") == "two");
  CHECK(fs::status(folder / "real").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a file that cannot be read or written is refused with the reason", "[io]") {
  test::Folder folder;
  CHECK(error_of([&] { read_file(folder / "absent"); }).find("no such file") != std::string::npos);
  CHECK(error_of([&] { read_file(folder.path()); }).find("it is a folder") != std::string::npos);
  CHECK(error_of([&] { write_file_atomically(folder / "no" / "a", "x", 1); }).find("no such file or folder") !=
        std::string::npos);
  CHECK(error_of([&] { write_file_atomically(folder.path(), "x", 1); }).find("it is a folder") != std::string::npos);
  CHECK(folder.entries() == 0);
}

TEST_CASE("a disk that fills up leaves the old file and no temporary one", "[io]") {
  test::Folder folder;
  write_file_atomically(folder / "a", "old", 3);
  const std::string text(100'000, 'x');
  std::string message;
  {
    SmallFiles limit(50'000);
    message = error_of([&] { write_file_atomically(folder / "a", text.data(), text.size()); });
  }
  CHECK(message.find("cannot write") != std::string::npos);
  CHECK(text_of(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a full disk is named as the reason", "[io]") {
  if (!fs::exists("/dev/full")) SKIP_TEST("/dev/full is not there");
  CHECK(error_of([&] { write_file_atomically("/dev/full", "text", 4); }).find("the disk is full") != std::string::npos);
}

TEST_CASE("what passes is tried again, what does not is not", "[io]") {
  int calls = 0;
  CHECK(try_again([&] { return ++calls < 3 ? EIO : 0; }) == 0);
  CHECK(calls == 3);
  CHECK(try_again([&] { return ++calls, ESTALE; }) == ESTALE);
  CHECK(calls == 6);
  CHECK(try_again([&] { return ++calls, ENOENT; }) == ENOENT);
  CHECK(calls == 7);
  for (const int error : {ENOMEM, EMFILE, ENFILE, ETIMEDOUT, ENOTCONN}) CHECK(passes(error));
  for (const int error : {0, EACCES, EISDIR, ENAMETOOLONG, ENOSPC}) CHECK_FALSE(passes(error));
}
