#include "pipeline/runner.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <charconv>
#include <list>
#include <mutex>
#include <opencv2/core.hpp>
#include <semaphore>
#include <system_error>

#include "datasets/bad_file.hpp"
#include "modules/core/room.hpp"
#include "modules/core/threads.hpp"
#include "modules/core/tsan.hpp"
#include "pipeline/clock.hpp"
#include "pipeline/sources/alias.hpp"

namespace fovea {
namespace {

// Frames that go through the stages together.
using Group = std::vector<Frame>;

// The groups that are in the pipeline, a few at a time. TBB carries their addresses from thread to thread.
class Underway {
 public:
  Group* add(Group group) {
    const std::lock_guard lock(mutex_);
    return &groups_.emplace_back(std::move(group));
  }
  void drop(const Group* group) {
    const std::lock_guard lock(mutex_);
    groups_.remove_if([&](const Group& g) { return &g == group; });
  }

 private:
  std::mutex mutex_;
  std::list<Group> groups_;
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

void check_contracts(const std::vector<StageSpec>& stages) {
  std::vector<std::string_view> there;
  for (const StageSpec& spec : stages) {
    const Contract contract = spec.stage->contract();
    for (std::string_view need : contract.needed()) {
      check(std::find(there.begin(), there.end(), need) != there.end(), "pipeline: stage '", spec.stage->name(), "' needs '",
            need, "', which no stage before it gives");
    }
    there.insert(there.end(), contract.given().begin(), contract.given().end());
    for (std::string_view gone : contract.dropped()) std::erase(there, gone);
  }
}

// What stages say of a frame's files, they say of its alias.
void hide_names(Frame& frame) {
  const auto files = frame.members.empty() ? std::vector<std::filesystem::path>{frame.input} : frame.members;
  for (std::string& note : frame.notes) note = with_alias(std::move(note), files, frame.alias);
  if (frame.error) frame.error->reason = with_alias(std::move(frame.error->reason), files, frame.alias);
}

// Runs a stage on some frames: its threads, its clocks, and its exceptions made into the frames' errors.
void process(Stage& stage, std::span<Frame> frames) {
  const double wall = wall_seconds(), cpu = team_cpu_seconds();
  try {
    stage.process(frames);
  } catch (const std::exception& e) {
    for (Frame& frame : frames) {
      frame.error = failure_of(stage, e);
      frame.results.clear();
    }
  }
  for (Frame& frame : frames)
    if (!frame.alias.empty()) hide_names(frame);
  const auto n = static_cast<double>(frames.size());
  const StageTime each{stage.name(), (wall_seconds() - wall) / n, (team_cpu_seconds() - cpu) / n};
  for (Frame& frame : frames) frame.times.push_back(each);
}

// Frames that failed before, or are complete, are left alone; the others come to stand side by side.
void process(Stage& stage, int threads, Group& group) {
  const ThreadScope thread_scope(threads);
  const auto end = std::stable_partition(group.begin(), group.end(), [](const Frame& f) { return !f.error && !f.complete; });
  const std::span<Frame> frames(group.data(), static_cast<std::size_t>(end - group.begin()));
  if (frames.empty()) return;
  if (stage.takes_groups()) return process(stage, frames);
  for (Frame& frame : frames) process(stage, std::span(&frame, 1));
}

// OpenCV's own pool stays as wide as a stage while a pipeline runs.
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

FrameError failure_of(const Stage& stage, const std::exception& e) {
  const bool environment = dynamic_cast<const EnvironmentError*>(&e) != nullptr, passing = !environment && is_passing(e);
  // What the libraries say of memory speaks of their functions and lines.
  const bool for_people = dynamic_cast<const Error*>(&e) || dynamic_cast<const std::system_error*>(&e);
  return {std::string(stage.name()), passing && !for_people ? "not enough memory" : e.what(), environment, passing};
}

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
    // Codecs cost a fraction of a network; their threads also wait for the disk, so they come on top of those that process.
    const auto few = static_cast<int>(std::clamp<std::size_t>(items, 1, static_cast<std::size_t>(threads)));
    jobs.process = hint == Hint::latency ? 1 : hint == Hint::throughput ? threads : few;
    jobs.load = jobs.save = 1 + (jobs.process - 1) / 4;
  }
  jobs.threads = std::max(1, threads / jobs.process);
  return jobs;
}

Runner::Runner(std::vector<StageSpec> stages) : stages_(std::move(stages)) {
  check(!stages_.empty(), "pipeline: expected at least one stage");
  for (const StageSpec& spec : stages_)
    check(spec.stage && spec.workers >= 1 && spec.threads >= 1,
          "pipeline: a stage needs at least one worker of at least one thread");
  check_contracts(stages_);
}

void Runner::run(const Source& source, const Sink& sink, std::size_t size) {
  int tokens = 0, widest = 1;
  std::vector<std::unique_ptr<Slots>> slots;
  for (const StageSpec& spec : stages_) {
    tokens += spec.workers;
    widest = std::max(widest, spec.threads);
    slots.push_back(std::make_unique<Slots>(spec.workers));
  }

  Underway underway;
  auto chain = tbb::make_filter<void, Group*>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control& flow) -> Group* {
    const Inside inside(&source);
    Group frames;
    while (frames.size() < std::max<std::size_t>(1, size)) {
      auto next = source();
      if (!next) break;
      frames.push_back(std::move(*next));
    }
    if (frames.empty()) return flow.stop(), nullptr;
    Group* group = underway.add(std::move(frames));
    happens_before(group);
    return group;
  });
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    chain &= tbb::make_filter<Group*, Group*>(tbb::filter_mode::parallel, [&, i](Group* group) {
      const Inside inside(group);
      // A thread that waits here holds its own token only: whoever is inside goes on to the end, so nobody waits for ever.
      const SlotGuard slot(*slots[i]);
      process(*stages_[i].stage, stages_[i].threads, *group);
      return group;
    });
  }
  const auto all = chain & tbb::make_filter<Group*, void>(tbb::filter_mode::serial_out_of_order, [&](Group* group) {
                     const Inside inside(&sink);
                     happens_after(group);
                     for (Frame& frame : *group) {
                       frame.results.clear();
                       sink(frame);
                     }
                     underway.drop(group);
                   });

  // One thread a token: a thread that waits for a slot or the disk must not keep a processor of the model idle.
  const OpenCvThreads opencv(widest);
  const tbb::global_control workers(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(tokens) + 1);
  memory::check_room(static_cast<std::size_t>(tokens));
  tbb::task_arena arena(tokens);
  arena.execute([&] { tbb::parallel_pipeline(static_cast<std::size_t>(tokens), all); });
  for (const void* left : {static_cast<const void*>(&source), static_cast<const void*>(&sink)}) happens_after(left);
}

}  // namespace fovea
