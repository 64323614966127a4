#include "pipeline/live/statistics.hpp"

#include "tests/support/catch.hpp"

using namespace fovea;
using namespace std::chrono_literals;

namespace {

const LiveClock::time_point kStart = LiveClock::time_point() + 1000h;

}  // namespace

TEST_CASE("live statistics: rates and ages are those of the window", "[pipeline]") {
  LiveStatistics statistics(2s, kStart);
  // Ten seconds with 20 frames a second, every second one processed with an age of 1 ms a frame so far.
  for (int i = 1; i <= 200; ++i) {
    const auto at = kStart + i * 50ms;
    statistics.captured(i, at);
    if (i % 2 == 0) statistics.processed(at - i * 1ms, at);
    else statistics.dropped();
  }
  const LiveFigures f = statistics.figures(kStart + 10s);
  CHECK(f.counts == LiveCounts{.captured = 200, .missed = 0, .dropped = 100, .processed = 100});
  CHECK(f.captured_rate == Approx(20));
  CHECK(f.processed_rate == Approx(10));
  REQUIRE((f.age_median_ms && f.age_p99_ms));
  CHECK(*f.age_median_ms == Approx(180));  // of 162, 164 ... 200: the tenth of twenty
  CHECK(*f.age_p99_ms == Approx(200));
  CHECK(f.seconds == Approx(10));
  CHECK(f.memory_mb > 1);
}

TEST_CASE("live statistics: nothing yet, and nothing any more", "[pipeline]") {
  LiveStatistics statistics(2s, kStart);
  const LiveFigures none = statistics.figures(kStart);
  CHECK((none.captured_rate == 0 && none.processed_rate == 0 && !none.age_median_ms && !none.age_p99_ms));
  statistics.captured(0, kStart + 500ms);
  statistics.processed(kStart, kStart + 500ms);
  CHECK(statistics.figures(kStart + 1s).processed_rate == Approx(1));  // a beginning has a window of its own length
  const LiveFigures later = statistics.figures(kStart + 1h);
  CHECK((later.captured_rate == 0 && !later.age_median_ms && later.counts.processed == 1));
}

TEST_CASE("live statistics: numbers that a source left out are missed; one that starts over is not", "[pipeline]") {
  LiveStatistics statistics;
  for (const std::int64_t number : {5, 6, 9, 10, 0, 1, 4}) statistics.captured(number);
  CHECK(statistics.counts() == LiveCounts{.captured = 7, .missed = 4, .dropped = 0, .processed = 0});
}

TEST_CASE("live statistics: a million frames a second take no memory, and their rate is right", "[pipeline]") {
  LiveStatistics statistics(5s, kStart);
  for (int i = 1; i <= 200'000; ++i) statistics.captured(i, kStart + i * 1us);
  CHECK(statistics.figures(kStart + 200ms).captured_rate == Approx(1e6).epsilon(0.01));
}

TEST_CASE("live statistics: JSON", "[pipeline]") {
  LiveFigures f;
  f.counts = {4, 3, 2, 1};
  f.captured_rate = 2.5;
  f.age_median_ms = 12;
  const nlohmann::ordered_json json = to_json(f);
  CHECK(json.at("captured") == 4);
  CHECK(json.at("missed") == 3);
  CHECK(json.at("dropped") == 2);
  CHECK(json.at("processed") == 1);
  CHECK(json.at("captured_fps") == 2.5);
  CHECK(json.at("age_ms").at("median") == 12);
  CHECK(json.at("age_ms").at("p99").is_null());
}

TEST_CASE("live statistics: the whole run, and how long nothing came", "[pipeline]") {
  LiveStatistics statistics(2s, kStart);
  CHECK((!statistics.overall(kStart).age_median_ms && statistics.overall(kStart).processed_rate == 0));
  for (int i = 1; i <= 100; ++i) {
    statistics.captured(i, kStart + i * 100ms);
    statistics.processed(kStart + i * 100ms - i * 1ms, kStart + i * 100ms);
  }
  const LiveFigures all = statistics.overall(kStart + 20s);
  CHECK((all.captured_rate == Approx(5) && all.processed_rate == Approx(5)));
  CHECK((*all.age_median_ms == 50 && *all.age_p99_ms == 99));
  CHECK(statistics.figures(kStart + 17s).silent_seconds == Approx(7));
  statistics.processed(kStart, kStart + 1h);  // longer than what is told apart
  CHECK(*statistics.overall(kStart + 1h).age_median_ms == 51);
}
