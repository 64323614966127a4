#include "pipeline/runner.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "modules/core/threads.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

constexpr Key<int> kNumber{"number"};
constexpr Key<std::string> kText{"text"};

// Runs a function on every frame and keeps count of how many frames are inside it at once.
class Probe final : public Stage {
 public:
  struct Counts {
    std::atomic<int> inside{0}, most{0};
  };
  Probe(Contract contract, std::function<void(Frame&)> f, Counts* counts = nullptr)
      : contract_(std::move(contract)), f_(std::move(f)), counts_(counts ? counts : &own_) {}
  std::string_view name() const override { return "probe"; }
  Contract contract() const override { return contract_; }
  void process(std::span<Frame> batch) override {
    const int now = ++counts_->inside;
    for (int most = counts_->most; now > most && !counts_->most.compare_exchange_weak(most, now);) {}
    struct Leave {
      std::atomic<int>& count;
      ~Leave() { --count; }
    } leave{counts_->inside};
    for (Frame& frame : batch) f_(frame);
  }

 private:
  Contract contract_;
  std::function<void(Frame&)> f_;
  Counts own_;
  Counts* counts_;
};

StageSpec step(Contract contract, std::function<void(Frame&)> f, int lanes = 1, Probe::Counts* counts = nullptr, int width = 1) {
  return {std::make_unique<Probe>(std::move(contract), std::move(f), counts), lanes, width};
}

template <class... Steps>
Runner chain(Steps... steps) {
  std::vector<StageSpec> all;
  (all.push_back(std::move(steps)), ...);
  return Runner(std::move(all));
}

Runner::Source numbers(std::size_t count) {
  return [count, i = std::size_t{0}]() mutable -> std::optional<Frame> {
    if (i == count) return std::nullopt;
    Frame frame;
    frame.index = i++;
    return frame;
  };
}

}  // namespace

TEST_CASE("a pipeline is refused when a stage needs what no stage gives", "[pipeline]") {
  const auto nothing = [](Frame&) {};
  CHECK_NOTHROW(chain(step(Contract().gives(kNumber), nothing), step(Contract().needs(kNumber).gives(kText), nothing)));
  CHECK_THROWS_WITH(chain(step(Contract().gives(kText), nothing), step(Contract().needs(kNumber), nothing)),
                    Catch::Matchers::ContainsSubstring("needs 'number'"));
  CHECK_THROWS_WITH(chain(step(Contract().gives(kNumber).drops(kNumber), nothing), step(Contract().needs(kNumber), nothing)),
                    Catch::Matchers::ContainsSubstring("needs 'number'"));
  CHECK_THROWS_AS(Runner({}), Error);
}

TEST_CASE("results are typed", "[pipeline]") {
  Results results;
  results.put(kNumber, 7);
  CHECK(results.get(kNumber) == 7);
  CHECK_THROWS_WITH(results.get(kText), Catch::Matchers::ContainsSubstring("no result named 'text'"));
  CHECK_THROWS_WITH(results.get(Key<double>{"number"}), Catch::Matchers::ContainsSubstring("another type"));
  CHECK(results.take(kNumber) == 7);
  CHECK_FALSE(results.has(kNumber));
}

TEST_CASE("frames in flight and workers are bounded, every frame arrives once", "[pipeline]") {
  Probe::Counts load, work, save;
  std::atomic<int> in_flight{0}, most{0};
  const auto pause = [](Frame&) { std::this_thread::sleep_for(std::chrono::milliseconds(3)); };
  Runner runner = chain(step(
                            Contract().gives(kNumber),
                            [&](Frame& f) {
                              f.results.put(kNumber, static_cast<int>(f.index));
                              const int now = ++in_flight;
                              for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {}
                            },
                            2, &load),
                        step(Contract().needs(kNumber), pause, 3, &work),
                        step(
                            Contract(), [](Frame&) {}, 1, &save));
  std::set<std::size_t> seen;
  runner.run(numbers(200), [&](Frame& f) {
    --in_flight;
    CHECK(seen.insert(f.index).second);
    CHECK(f.times.size() == 3);
  });
  CHECK(seen.size() == 200);
  CHECK(load.most <= 2);
  CHECK(work.most <= 3);
  CHECK(work.most >= 2);
  CHECK(save.most == 1);
  CHECK(most <= 6);
}

TEST_CASE("one frame's exception is that frame's error", "[pipeline]") {
  Probe::Counts after;
  std::atomic<int> passed{0};
  Runner runner = chain(step(
                            Contract(),
                            [](Frame& f) {
                              if (f.index == 3) fail("bad");
                              if (f.index == 4) throw std::bad_alloc();
                              if (f.index == 5) throw EnvironmentError("disk");
                            },
                            2),
                        step(
                            Contract(), [&](Frame&) { ++passed; }, 2, &after));
  std::map<std::size_t, FrameError> errors;
  runner.run(numbers(10), [&](Frame& f) {
    if (f.error) errors[f.index] = *f.error;
  });
  CHECK(passed == 7);
  REQUIRE(errors.size() == 3);
  CHECK((errors[3].reason == "bad" && !errors[3].environment && errors[3].stage == "probe"));
  CHECK((errors[4].reason == "not enough memory" && errors[4].passing && !errors[3].passing));
  CHECK(errors[5].environment);
}

TEST_CASE("a stage sets the threads that kernels see, and its other threads' time is counted", "[pipeline]") {
  std::atomic<int> width{0};
  Runner runner = chain(step(
      Contract(),
      [&](Frame&) {
        width = threads();
        parallel_blocks(2, [](std::int64_t) {
          volatile double x = 1;
          for (int i = 0; i < 20'000'000; ++i) x = x * 1.0000001;
        });
      },
      1, nullptr, 2));
  double cpu = 0, wall = 0;
  runner.run(numbers(1), [&](Frame& f) { cpu = f.times[0].cpu, wall = f.times[0].wall; });
  CHECK(width == 2);
  CHECK(cpu > 0);
  CHECK(cpu <= 2.2 * wall + 0.05);
}

namespace {

// Takes all frames that go together; refuses a span in which a number stands that it cannot do.
class Together final : public Stage {
 public:
  explicit Together(std::multiset<std::size_t>& sizes) : sizes_(sizes) {}
  std::string_view name() const override { return "together"; }
  Contract contract() const override { return Contract().needs(kNumber); }
  bool takes_groups() const override { return true; }
  void process(std::span<Frame> frames) override { sizes_.insert(frames.size()); }

 private:
  std::multiset<std::size_t>& sizes_;
};

}  // namespace

TEST_CASE("frames of a group go through the stages together; those that failed are left behind", "[pipeline]") {
  std::multiset<std::size_t> sizes;
  std::vector<StageSpec> stages;
  stages.push_back(step(Contract().gives(kNumber), [](Frame& f) {
    if (f.index == 5) fail("bad");
    f.results.put(kNumber, 1);
  }));
  stages.push_back({std::make_unique<Together>(sizes), 1, 1});
  std::set<std::size_t> seen;
  std::size_t failed = 0;
  Runner(std::move(stages))
      .run(
          numbers(10),
          [&](Frame& f) {
            seen.insert(f.index);
            failed += f.error ? 1 : 0;
          },
          4);
  CHECK(seen.size() == 10);
  CHECK(failed == 1);
  CHECK(sizes == std::multiset<std::size_t>{2, 3, 4});  // 0..3, 4 to 7 without 5, 8 and 9
}

TEST_CASE("an exception of the source ends the run", "[pipeline]") {
  Runner runner = chain(step(Contract(), [](Frame&) {}));
  CHECK_THROWS_WITH(runner.run([]() -> std::optional<Frame> { fail("no more paper"); }, [](Frame&) {}), "no more paper");
}

TEST_CASE("jobs are parsed and planned within the budget", "[pipeline]") {
  const Jobs jobs = parse_jobs("2:4:3");
  CHECK((jobs.load == 2 && jobs.process == 4 && jobs.save == 3));
  for (const char* bad : {"", "2", "1:2", "1:2:3:4", "1:0:1", "a:b:c", "1:2:x", "1:2:3 ", "1:-2:3", "9999:1:1"})
    CHECK_THROWS_WITH(parse_jobs(bad), Catch::Matchers::ContainsSubstring("load:process:save"));
  for (const int budget : {1, 2, 3, 8, 64}) {
    for (const std::size_t items : {0, 1, 2, 5, 1000}) {
      for (const Hint hint : {Hint::automatic, Hint::latency, Hint::throughput}) {
        const Jobs planned = plan_jobs(budget, items, hint);
        CHECK(planned.process * planned.threads <= budget);
        CHECK((planned.load >= 1 && planned.save >= 1 && planned.process >= 1));
      }
      CHECK(plan_jobs(budget, items, Hint::latency).process == 1);
      CHECK(plan_jobs(budget, items, Hint::latency).threads == budget);
      CHECK(plan_jobs(budget, items, Hint::throughput).process == budget);
      CHECK(plan_jobs(budget, items, Hint::throughput).threads == 1);
    }
    CHECK(plan_jobs(budget, 1).threads == budget);
    CHECK(plan_jobs(budget, 1000).process == budget);
  }
  CHECK(plan_jobs(8, 1000, Hint::throughput, parse_jobs("1:2:1")).threads == 4);
  CHECK(parse_hint("throughput") == Hint::throughput);
  CHECK_THROWS_WITH(parse_hint("fast"), Catch::Matchers::ContainsSubstring("auto, latency or throughput, got 'fast'"));
}
