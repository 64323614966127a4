// The process that decodes scans may crash, hang, run out of memory or not be there: each is one file's reason, and the next file is read.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "datasets/scans/patient.hpp"
#include "datasets/scans/scan.hpp"
#include "datasets/scans/worker.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace std::chrono_literals;

namespace {

// Of this test only.
struct With {
  explicit With(const ScanWorkerOptions& options) { set_scan_worker(options); }
  ~With() { set_scan_worker({}); }
};

std::filesystem::path program(const test::Folder& dir, const std::string& text) {
  const auto file = dir / "program";
  std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file;
}

std::filesystem::path scan_in(const test::Folder& dir, const std::string& name = "a.dcm") {
  test::DicomFile file(4, 4, test::counting(16));
  file.put(DCM_PatientName, "Doe^Jane");
  file.save(dir / name);
  return dir / name;
}

}  // namespace

TEST_CASE("scan worker: its crash, silence or absence is one file's reason", "[scans]") {
  test::Folder dir;
  const auto file = scan_in(dir);
  {
    const With crashing({.program = program(dir, "kill -SEGV $$")});
    CHECK(test::fails_with([&] { open_scan(file); }, "a.dcm: damaged: its decoder ended by signal 11"));
  }
  {
    const With giving_up({.program = program(dir, "exit 7")});
    CHECK(test::fails_with([&] { open_scan(file); }, "a.dcm: damaged: its decoder ended by exit code 7"));
  }
  {
    const With hanging({.seconds = 0.2, .program = program(dir, "exec sleep 1000")});
    CHECK(test::fails_with([&] { open_scan(file); }, "a.dcm: decoding it took more than 0.2 seconds"));
  }
  {
    const With talking({.program = program(dir, "printf 'nonsense from somebody else' >&0; exec sleep 1000")});
    CHECK(test::fails_with([&] { open_scan(file); }, "a.dcm: damaged: its decoder ended"));
  }
  {
    const With missing({.program = dir / "none"});
    CHECK_THROWS_AS(open_scan(file), FileError);
    CHECK(test::fails_with([&] { open_scan(file); }, "FOVEA_SCAN_WORKER"));
  }
  CHECK(open_scan(file)->frame(0).rows == 4);
}

TEST_CASE("scan worker: what needs more memory than it may have is refused, and others are read", "[scans]") {
#ifdef __SANITIZE_ADDRESS__
  SUCCEED("a sanitizer's worker has no limit");
#else
  test::Folder dir;
  const With little({.memory = std::size_t{300} << 20});
  test::DicomFile large(9000, 9000, std::vector<Uint16>(std::size_t{9000} * 9000));
  large.save(dir / "large.dcm");
  CHECK(test::fails_with([&] { open_scan(dir / "large.dcm")->frame(0); }, "large.dcm: "));
  CHECK(open_scan(scan_in(dir))->frame(0).rows == 4);
#endif
}

TEST_CASE("scan worker: several files are open at once, by several threads and by a child of fork()", "[scans]") {
  test::Folder dir;
  const auto a = scan_in(dir, "a.dcm");
  test::DicomFile(2, 3, test::counting(6, 100)).save(dir / "b.dcm");
  const auto first = open_scan(a), second = open_scan(dir / "b.dcm");
  CHECK(second->frame(0).at<float>(1, 2) == 105);
  CHECK(first->frame(0).at<float>(3, 3) == 15);
  std::atomic<int> right{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) right += open_scan(a)->frame(0).at<float>(3, 3) == 15 && first->frame(0).at<float>(0, 1) == 1;
    });
  threads.clear();
  CHECK(right == 20);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool ok = false;
    try {
      ok = open_scan(a)->frame(0).at<float>(3, 3) == 15;
    } catch (const std::exception&) {}
    ::_exit(ok ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(first->frame(0).at<float>(3, 3) == 15);
}

TEST_CASE("scan worker: the patient is told only to who asks", "[scans]") {
  test::Folder dir;
  const auto patient = read_patient(scan_in(dir));
  REQUIRE(!patient.empty());
  CHECK(patient.front() == std::pair<std::string, std::string>("patient", "Doe^Jane"));
  std::ofstream(dir / "b") << "no scan";
  CHECK(read_patient(dir / "b").empty());
}
