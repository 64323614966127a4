#include "pipeline/live/event_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "tests/pipeline/live/comes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace std::chrono_literals;

namespace {

void log_frame(EventLog& log, std::int64_t number, const nlohmann::ordered_json& answer) {
  const LiveFrame frame{cv::Mat(), LiveClock::now() - 20ms, number, 0.5};
  log.show({frame, answer, cv::Mat()});
}

const nlohmann::ordered_json kNothing = nlohmann::ordered_json::object();

std::vector<nlohmann::json> lines_of(const std::filesystem::path& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("live events: a line a frame, at once, over what was there", "[pipeline]") {
  const test::Folder folder;
  std::ofstream(folder / "seen.jsonl") << "of another day\n";
  const std::atomic<bool> stop{false};
  EventLog log((folder / "seen.jsonl").string(), stop);
  log_frame(log, 7, {{"objects", {{{"class", "a\xff"}}}}, {"more", 1}});
  const auto first = lines_of(folder / "seen.jsonl");
  REQUIRE(first.size() == 1);
  CHECK((first[0].at("frame") == 7 && first[0].at("seconds") == 0.5 && first[0].at("more") == 1));
  CHECK((first[0].at("age_ms") >= 20 && first[0].at("age_ms") < 5000));
  CHECK((first[0].at("objects").size() == 1 && first[0].at("events").empty()));
  log_frame(log, 9, {{"objects", nlohmann::json::array()}, {"events", {1, 2}}});
  CHECK(lines_of(folder / "seen.jsonl").at(1).at("events").size() == 2);
}

TEST_CASE("live events: what cannot be written", "[pipeline]") {
  const test::Folder folder;
  const std::atomic<bool> stop{false};
  CHECK_THROWS_AS(EventLog((folder / "no" / "seen.jsonl").string(), stop), FileError);
  EventLog full("/dev/full", stop);
  CHECK_THROWS_AS(log_frame(full, 0, kNothing), EnvironmentError);
  CHECK(test::fails_with([&] { log_frame(full, 0, kNothing); }, "/dev/full: cannot write: No space left"));
}

TEST_CASE("live events: a pipe whose reader is slow, or gone", "[pipeline]") {
  std::signal(SIGPIPE, SIG_IGN);  // as the program does
  const test::Folder folder;
  const std::string name = (folder / "pipe").string();
  REQUIRE(::mkfifo(name.c_str(), 0600) == 0);
  Descriptor reader(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::atomic<bool> stop{false};
  EventLog log(name, stop);
  const nlohmann::ordered_json large{{"objects", std::string(200'000, 'x')}};
  std::thread stopping([&] {
    std::this_thread::sleep_for(100ms);
    stop = true;
  });
  log_frame(log, 1, large);  // nobody reads: it waits until the end is asked for
  stopping.join();
  CHECK(stop);
  stop = false;
  reader.reset();
  CHECK(test::fails_with([&] { log_frame(log, 2, kNothing); }, "whoever read it is gone"));
}
