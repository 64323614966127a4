#include "pipeline/runner.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <charconv>
#include <list>
#include <mutex>
#include <new>
#include <opencv2/core.hpp>
#include <semaphore>

#include "modules/core/tsan.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/clock.hpp"

namespace fovea {
namespace {

// The frames that are in the pipeline, a few at a time. TBB carries their addresses from thread to thread.
class Underway {
 public:
  Frame* add(Frame frame) {
    const std::lock_guard lock(mutex_);
    return &frames_.emplace_back(std::move(frame));
  }
  void drop(const Frame* frame) {
    const std::lock_guard lock(mutex_);
    frames_.remove_if([&](const Frame& f) { return &f == frame; });
  }

 private:
  std::mutex mutex_;
  std::list<Frame> frames_;
};

// While a thread is inside a filter: what others left there is taken over, what it does is handed over.
class Inside {
 public:
  explicit Inside(const void* what) : what_(what) { happens_after(what_); }
  ~Inside() { happens_before(what_); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  const void* what_;
};

using Slots = std::counting_semaphore<4096>;

class SlotGuard {
 public:
  explicit SlotGuard(Slots& slots) : slots_(slots) { slots_.acquire(); }
  ~SlotGuard() { slots_.release(); }
  SlotGuard(const SlotGuard&) = delete;
  SlotGuard& operator=(const SlotGuard&) = delete;

 private:
  Slots& slots_;
};

void check_contracts(const std::vector<Step>& steps) {
  std::vector<std::string_view> there;
  for (const Step& step : steps) {
    const Contract contract = step.stage->contract();
    for (std::string_view need : contract.needed()) {
      check(std::find(there.begin(), there.end(), need) != there.end(), "pipeline: stage '", step.stage->name(), "' needs '",
            need, "', which no stage before it gives");
    }
    there.insert(there.end(), contract.given().begin(), contract.given().end());
    for (std::string_view gone : contract.dropped()) std::erase(there, gone);
  }
}

// What one stage does to one frame: its lane, its clocks, and its exceptions made into the frame's error.
void process(Stage& stage, int width, Frame& frame) {
  if (frame.error) return;
  const ThreadScope thread_scope(width);
  const double wall = wall_seconds(), cpu = team_cpu_seconds();
  const auto failed = [&](std::string reason, bool environment = false) {
    frame.error = FrameError{std::string(stage.name()), std::move(reason), environment};
    frame.results.clear();
  };
  try {
    stage.process(std::span(&frame, 1));
  } catch (const EnvironmentError& e) { failed(e.what(), true); } catch (const std::bad_alloc&) {
    failed("not enough memory");
  } catch (const std::exception& e) { failed(e.what()); }
  frame.times.push_back({stage.name(), wall_seconds() - wall, team_cpu_seconds() - cpu});
}

// OpenCV's own pool stays as wide as a lane while a pipeline runs.
class OpenCvThreads {
 public:
  explicit OpenCvThreads(int count) : before_(cv::getNumThreads()) { cv::setNumThreads(count); }
  ~OpenCvThreads() { cv::setNumThreads(before_); }
  OpenCvThreads(const OpenCvThreads&) = delete;
  OpenCvThreads& operator=(const OpenCvThreads&) = delete;

 private:
  int before_;
};

}  // namespace

Jobs parse_jobs(const std::string& text) {
  int numbers[3];
  const char* at = text.data();
  const char* end = text.data() + text.size();
  for (int i = 0; i < 3; ++i) {
    const auto [next, error] = std::from_chars(at, end, numbers[i]);
    const bool separated = i < 2 ? next != end && *next == ':' : next == end;
    check(error == std::errc() && separated && numbers[i] >= 1 && numbers[i] <= 1024,
          "jobs: expected load:process:save, for example 1:2:1, got '", text, "'");
    at = next + 1;
  }
  return {.load = numbers[0], .process = numbers[1], .save = numbers[2]};
}

Hint parse_hint(const std::string& text) {
  if (text == "auto") return Hint::automatic;
  if (text == "latency") return Hint::latency;
  check(text == "throughput", "hint: expected auto, latency or throughput, got '", text, "'");
  return Hint::throughput;
}

Jobs plan_jobs(int threads, std::size_t items, Hint hint, const std::optional<Jobs>& asked) {
  Jobs jobs;
  if (asked) {
    jobs = *asked;
  } else {
    // Codecs cost a fraction of a network; their threads also wait for the disk, so they come on top of the process lanes.
    const auto few = static_cast<int>(std::clamp<std::size_t>(items, 1, static_cast<std::size_t>(threads)));
    jobs.process = hint == Hint::latency ? 1 : hint == Hint::throughput ? threads : few;
    jobs.load = jobs.save = 1 + (jobs.process - 1) / 4;
  }
  jobs.width = std::max(1, threads / jobs.process);
  return jobs;
}

Runner::Runner(std::vector<Step> steps) : steps_(std::move(steps)) {
  check(!steps_.empty(), "pipeline: expected at least one stage");
  for (const Step& step : steps_)
    check(step.stage && step.lanes >= 1 && step.width >= 1, "pipeline: a stage needs at least one lane of at least one thread");
  check_contracts(steps_);
}

void Runner::run(const Source& source, const Sink& sink) {
  int tokens = 0, widest = 1;
  std::vector<std::unique_ptr<Slots>> slots;
  for (const Step& step : steps_) {
    tokens += step.lanes;
    widest = std::max(widest, step.width);
    slots.push_back(std::make_unique<Slots>(step.lanes));
  }
  struct Opened {
    std::vector<Stage*> stages;
    ~Opened() {
      for (Stage* stage : stages) stage->close();
    }
  } opened;
  for (Step& step : steps_) {
    step.stage->open();
    opened.stages.push_back(step.stage.get());
  }

  Underway underway;
  auto chain = tbb::make_filter<void, Frame*>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control& flow) -> Frame* {
    const Inside inside(&source);
    auto next = source();
    if (!next) return flow.stop(), nullptr;
    Frame* frame = underway.add(std::move(*next));
    happens_before(frame);
    return frame;
  });
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    chain &= tbb::make_filter<Frame*, Frame*>(tbb::filter_mode::parallel, [&, i](Frame* frame) {
      const Inside inside(frame);
      // A thread that waits here holds its own token only: whoever is inside goes on to the end, so nobody waits for ever.
      const SlotGuard slot(*slots[i]);
      process(*steps_[i].stage, steps_[i].width, *frame);
      return frame;
    });
  }
  const auto all = chain & tbb::make_filter<Frame*, void>(tbb::filter_mode::serial_out_of_order, [&](Frame* frame) {
                     const Inside inside(&sink);
                     happens_after(frame);
                     frame->results.clear();
                     sink(*frame);
                     underway.drop(frame);
                   });

  // One thread a token: a thread that waits for a slot or the disk must not keep a lane of the model empty.
  const OpenCvThreads opencv(widest);
  const tbb::global_control workers(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(tokens) + 1);
  tbb::task_arena arena(tokens);
  arena.execute([&] { tbb::parallel_pipeline(static_cast<std::size_t>(tokens), all); });
  for (const void* left : {static_cast<const void*>(&source), static_cast<const void*>(&sink)}) happens_after(left);
}

}  // namespace fovea
