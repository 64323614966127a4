#include "pipeline/live/mailbox.hpp"

#include <functional>
#include <future>
#include <stdexcept>
#include <vector>

#include "tests/pipeline/live/comes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace std::chrono_literals;
using test::comes;

namespace {

const std::atomic<bool> kNever{false};

// What a source does, as the test says it.
struct Script {
  std::mutex mutex;
  std::condition_variable wake;
  int frames = 0;           // that it may give
  std::string failure;      // thrown when it has given all those
  bool ends = false;        // or it ends
  bool reopens = true;      // whether it can be opened anew
  int failing_reopens = 0;  // that many fail
  std::vector<LiveClock::time_point> reopened;

  void set(const std::function<void(Script&)>& change) {
    {
      std::lock_guard lock(mutex);
      change(*this);
    }
    wake.notify_all();
  }
};

class Scripted final : public LiveSource {
 public:
  explicit Scripted(Script& script) : script_(script) {}
  std::string description() const override { return "script"; }
  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override {
    std::unique_lock lock(script_.mutex);
    while (!stop) {
      if (script_.frames > 0) {
        --script_.frames;
        return LiveFrame{cv::Mat(2, 2, CV_8UC3), LiveClock::now(), number_++, 0};
      }
      if (!script_.failure.empty()) throw Error(std::exchange(script_.failure, ""));
      if (script_.ends) return std::nullopt;
      script_.wake.wait_for(lock, 20ms);
    }
    return std::nullopt;
  }
  bool can_reopen() const override { return script_.reopens; }
  void reopen() override {
    std::lock_guard lock(script_.mutex);
    script_.reopened.push_back(LiveClock::now());
    if (script_.failing_reopens-- > 0) throw Error("script: still away");
  }

 private:
  Script& script_;
  std::int64_t number_ = 0;
};

struct Run {
  explicit Run(
      const std::function<void(Script&)>& change = [](Script&) {}, MailboxOptions options = {20ms, 80ms})
      : mailbox((script.set(change), std::make_unique<Scripted>(script)), statistics, options) {}
  bool captured(std::int64_t n) {
    return comes([&] { return statistics.counts().captured == n; });
  }
  Script script;
  LiveStatistics statistics;
  Mailbox mailbox;
};

}  // namespace

TEST_CASE("live mailbox: the newest waits, what it overtook is dropped", "[pipeline]") {
  Run run([](Script& s) { s.frames = 1; });
  REQUIRE(run.mailbox.take(kNever)->number == 0);
  run.script.set([](Script& s) { s.frames = 5; });
  REQUIRE(run.captured(6));
  CHECK(run.statistics.counts() == LiveCounts{.captured = 6, .missed = 0, .dropped = 4, .processed = 0});
  run.mailbox.finished();
  REQUIRE(run.mailbox.take(kNever)->number == 5);
  CHECK(run.statistics.counts() == LiveCounts{.captured = 6, .missed = 0, .dropped = 4, .processed = 1});
  run.mailbox.finished();
  run.mailbox.finished();  // said twice: counted once
  CHECK(run.statistics.counts().processed == 2);
}

TEST_CASE("live mailbox: a frame that was given up counts as dropped", "[pipeline]") {
  Run run([](Script& s) { s.frames = 1; });
  REQUIRE(run.mailbox.take(kNever));
  run.script.set([](Script& s) { s.frames = 1; });
  REQUIRE(run.mailbox.take(kNever)->number == 1);
  CHECK(run.statistics.counts() == LiveCounts{.captured = 2, .missed = 0, .dropped = 1, .processed = 0});
}

TEST_CASE("live mailbox: taking waits for a frame", "[pipeline]") {
  Run run;
  auto taken = std::async(std::launch::async, [&] { return run.mailbox.take(kNever); });
  CHECK(taken.wait_for(100ms) == std::future_status::timeout);
  CHECK(run.mailbox.status().text == "running: script");
  run.script.set([](Script& s) { s.frames = 1; });
  CHECK(taken.get()->number == 0);
}

TEST_CASE("live mailbox: the last frame is taken before the end", "[pipeline]") {
  Run run([](Script& s) { s.frames = 1, s.ends = true; });
  REQUIRE(comes([&] { return run.mailbox.status().state == LiveStatus::State::ended; }));
  CHECK(run.mailbox.take(kNever)->number == 0);
  CHECK(!run.mailbox.take(kNever));
  CHECK(!run.mailbox.take(kNever));
}

TEST_CASE("live mailbox: what a source that cannot be opened anew throws reaches whoever takes", "[pipeline]") {
  Run run([](Script& s) { s.frames = 1, s.failure = "script: broken pipe", s.reopens = false; });
  REQUIRE(comes([&] { return run.mailbox.status().state == LiveStatus::State::failed; }));
  CHECK(run.mailbox.status().text == "failed: script: broken pipe");
  CHECK(run.mailbox.take(kNever)->number == 0);
  for (int i = 0; i < 2; ++i) CHECK(test::message_of([&] { run.mailbox.take(kNever); }) == "script: broken pipe");
}

TEST_CASE("live mailbox: pauses double, and start over after a frame", "[pipeline]") {
  Run run([](Script& s) { s.frames = 1, s.failure = "script: unplugged", s.failing_reopens = 3; }, {50ms, 5s});
  REQUIRE(comes([&] { return run.mailbox.status().state == LiveStatus::State::reconnecting; }));
  std::vector<LiveClock::time_point> at;
  const auto reopened = [&](std::size_t n) {
    return comes([&] { return run.script.set([&](Script& s) { at = s.reopened; }), at.size() == n; });
  };
  REQUIRE(reopened(4));
  const std::chrono::milliseconds expected[] = {100ms, 200ms, 400ms};  // after the first pause of 50 ms
  for (std::size_t i = 0; i < 3; ++i) CHECK(at[i + 1] - at[i] >= expected[i]);
  run.script.set([](Script& s) { s.frames = 1; });
  REQUIRE(run.captured(2));
  CHECK(run.mailbox.status().text == "running: script");
  const auto failed = LiveClock::now();
  run.script.set([](Script& s) { s.failure = "script: unplugged again"; });
  REQUIRE(reopened(5));
  CHECK(at.back() - failed >= 50ms);
  CHECK(at.back() - failed < 400ms);  // the next of the others would have been 800 ms
}

TEST_CASE("live mailbox: pauses grow to the longest", "[pipeline]") {
  Run run([](Script& s) { s.failure = "script: unplugged", s.failing_reopens = 1000; }, {30ms, 60ms});
  std::vector<LiveClock::time_point> at;
  REQUIRE(comes([&] { return run.script.set([&](Script& s) { at = s.reopened; }), at.size() >= 5; }));
  CHECK(at[4] - at[0] >= 4 * 60ms);
  CHECK(at[4] - at[0] < 700ms);  // doubled each time it would have been 900 ms
}

TEST_CASE("live mailbox: the time to the next try is told", "[pipeline]") {
  Run run([](Script& s) { s.failure = "script: unplugged"; }, {3500ms, 30s});
  REQUIRE(comes([&] { return run.mailbox.status().state == LiveStatus::State::reconnecting; }));
  CHECK(run.mailbox.status().text == "reconnecting in 4 s: script: unplugged");
  const nlohmann::ordered_json json = to_json(run.statistics.figures(), run.mailbox.status());
  CHECK(json.at("state") == "reconnecting");
  CHECK(json.at("text") == "reconnecting in 4 s: script: unplugged");
  const auto began = LiveClock::now();
  run.mailbox.stop();  // in the middle of the pause
  CHECK(LiveClock::now() - began < 1s);
  CHECK(run.mailbox.status().state == LiveStatus::State::stopped);
}

TEST_CASE("live mailbox: stopping and interrupting end a wait", "[pipeline]") {
  Run run;
  std::atomic<bool> interrupt{false};
  auto taken = std::async(std::launch::async, [&] { return run.mailbox.take(interrupt); });
  std::this_thread::sleep_for(30ms);
  auto began = LiveClock::now();
  interrupt = true;
  CHECK(!taken.get());
  CHECK(LiveClock::now() - began < 10s);
  taken = std::async(std::launch::async, [&] { return run.mailbox.take(kNever); });
  std::this_thread::sleep_for(30ms);
  began = LiveClock::now();
  run.mailbox.stop();
  CHECK(!taken.get());
  CHECK(LiveClock::now() - began < 10s);
  CHECK(!run.mailbox.take(kNever));
}

TEST_CASE("live mailbox: what waits when it stops is dropped", "[pipeline]") {
  Run run([](Script& s) { s.frames = 1; });
  REQUIRE(run.captured(1));
  run.mailbox.stop();
  CHECK(run.statistics.counts() == LiveCounts{.captured = 1, .missed = 0, .dropped = 1, .processed = 0});
}

TEST_CASE("live mailbox: errors of any kind cross to whoever takes", "[pipeline]") {
  class Odd final : public LiveSource {
   public:
    std::string description() const override { return "odd"; }
    std::optional<LiveFrame> next(const std::atomic<bool>&) override { throw std::runtime_error("no Error of ours"); }
    bool can_reopen() const override { return true; }
    void reopen() override {}
  };
  LiveStatistics statistics;
  Mailbox mailbox(std::make_unique<Odd>(), statistics);
  CHECK_THROWS_AS(mailbox.take(kNever), std::runtime_error);
}
