#include "pipeline/live/live_run.hpp"

#include <future>

#include "pipeline/live/live_report.hpp"
#include "tests/pipeline/live/comes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace std::chrono_literals;

namespace {

// Frames one by one, each when the one before has been shown.
class Steps final : public LiveSource {
 public:
  Steps(std::atomic<int>& allowed, int count) : allowed_(allowed), count_(count) {}
  std::string description() const override { return "steps"; }
  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override {
    while (!stop && number_ < count_) {
      if (number_ < allowed_) return LiveFrame{cv::Mat(4, 6, CV_8UC3), LiveClock::now(), number_++, 0.5};
      std::this_thread::sleep_for(1ms);
    }
    return std::nullopt;
  }
  bool can_reopen() const override { return false; }
  void reopen() override {}

 private:
  std::atomic<int>& allowed_;
  const std::int64_t count_;
  std::int64_t number_ = 0;
};

// Says what it was told.
class Parrot final : public FrameAnalyzer {
 public:
  std::vector<std::string> maps() const override { return {"heat"}; }
  double threshold() const override { return 0.25; }
  std::any look(const cv::Mat&, const std::vector<std::string>& maps) const override { return maps; }
  nlohmann::ordered_json follow(std::any seen, const cv::Mat& picture, double seconds, double threshold) override {
    last_ = std::any_cast<std::vector<std::string>>(seen);
    return {{"maps", last_}, {"width", picture.cols}, {"time", seconds}, {"threshold", threshold}};
  }
  cv::Mat draw(const cv::Mat&, const std::string& map, double opacity) const override {
    check(map.empty() || last_ == std::vector{map}, "a map that was not looked for");
    return cv::Mat(1, 1, CV_64F, cv::Scalar(map.empty() ? -1 : opacity));
  }
  nlohmann::ordered_json summary() const override { return {}; }

 private:
  std::vector<std::string> last_;
};

class Watcher final : public LiveView {
 public:
  Watcher(std::atomic<int>& allowed, bool wants) : allowed_(allowed), wants_(wants) {}
  bool wants_picture() override { return wants_; }
  void show(const SeenFrame& seen) override {
    answers.push_back(seen.answer);
    drawn.push_back(seen.drawn.empty() ? 0 : seen.drawn.at<double>(0));
    if (on_show) on_show();
    ++allowed_;
  }
  void finish() override {
    ++finished;
    if (!finish_error.empty()) fail(finish_error);
  }

  std::function<void()> on_show;
  std::string finish_error;
  std::vector<nlohmann::ordered_json> answers;
  std::vector<double> drawn;  // the opacity of the map, -1 without one, 0 where nothing was drawn
  int finished = 0;

 private:
  std::atomic<int>& allowed_;
  const bool wants_;
};

struct Scene {
  explicit Scene(bool wants, int count = 3)
      : view(allowed, wants), run(std::make_unique<Steps>(allowed, count), parrot, {0.25, 0.5, kNoLayer}) {
    run.add(view);
  }
  std::atomic<int> allowed{1};
  std::atomic<bool> stop{false};
  Parrot parrot;
  Watcher view;
  LiveRun run;
};

}  // namespace

TEST_CASE("live run: settings act on the next frame", "[pipeline]") {
  Scene scene(true);
  CHECK(layers_of(scene.parrot) == std::vector<std::string>{"none", "heat"});
  scene.view.on_show = [&] { scene.run.hooks().change({0.75, 0.125, "heat"}); };
  scene.run.run(scene.stop);
  REQUIRE(scene.view.answers.size() == 3);
  CHECK((scene.view.answers[0].at("threshold") == 0.25 && scene.view.answers[0].at("maps").empty()));
  CHECK((scene.view.answers[1].at("threshold") == 0.75 && scene.view.answers[1].at("maps").at(0) == "heat"));
  CHECK((scene.view.answers[1].at("width") == 6 && scene.view.answers[1].at("time") == 0.5));
  CHECK(scene.view.drawn == std::vector<double>{-1, 0.125, 0.125});
  CHECK((scene.view.finished == 1 && scene.run.statistics().counts().processed == 3));
  CHECK((scene.run.status().state == LiveStatus::State::ended && scene.run.hooks().statistics().at("state") == "ended"));
}

TEST_CASE("live run: where nobody looks nothing is drawn, and no map is made", "[pipeline]") {
  Scene scene(false);
  scene.run.settings().set({0.5, 0.5, "heat"});
  scene.run.run(scene.stop);
  CHECK(scene.view.drawn == std::vector<double>{0, 0, 0});
  CHECK(scene.view.answers[2].at("maps").empty());
}

TEST_CASE("live run: all views end, and the first error is told", "[pipeline]") {
  Scene scene(true);
  Watcher second(scene.allowed, false);
  scene.run.add(second);
  scene.view.on_show = [] { fail("the pipe is closed"); };
  second.finish_error = "another one";
  CHECK(test::message_of([&] { scene.run.run(scene.stop); }) == "the pipe is closed");
  CHECK((scene.view.finished == 1 && second.finished == 1 && second.answers.empty()));
  CHECK(scene.run.statistics().counts().processed == 0);
}

TEST_CASE("live run: told to end", "[pipeline]") {
  Scene scene(true, 1000);
  auto running = std::async(std::launch::async, [&] { scene.run.run(scene.stop); });
  REQUIRE(test::comes([&] { return scene.run.statistics().counts().processed > 2; }));
  scene.stop = true;
  CHECK(running.wait_for(1s) == std::future_status::ready);
  CHECK((scene.view.finished == 1 && scene.run.status().state == LiveStatus::State::stopped));
}

TEST_CASE("live run: its status for people", "[pipeline]") {
  LiveFigures f;
  f.processed_rate = 29.94;
  f.memory_mb = 212.4;
  f.counts.dropped = 3;
  const LiveStatus running{LiveStatus::State::running, "running: pipe"};
  CHECK(status_text(f, running) == "29.9 frames/s, 3 dropped, 212 MiB");
  f.age_median_ms = 24.4, f.age_p99_ms = 31;
  f.counts.missed = 1;
  CHECK(status_text(f, running) == "29.9 frames/s, age 24 ms (p99 31), 3 dropped, 1 missed, 212 MiB");
  f.silent_seconds = 7.2;
  CHECK(status_text(f, running) == "no picture for 7 s: running: pipe");
  CHECK(status_text(f, {LiveStatus::State::reconnecting, "reconnecting in 4 s: away"}) == "reconnecting in 4 s: away");
}
