// fovea camera [SOURCE]: what a model sees in the pictures of a camera, a stream or a video, as they come.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <future>

#include "apps/fovea/camera_arguments.hpp"
#include "apps/fovea/commands.hpp"
#include "datasets/bad_file.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/live/event_log.hpp"
#include "pipeline/live/live_report.hpp"
#include "pipeline/live/live_run.hpp"
#include "pipeline/live/page_view.hpp"
#include "pipeline/live/recording.hpp"
#include "pipeline/live/ticker.hpp"
#include "pipeline/live/window_view.hpp"
#include "pipeline/task.hpp"

namespace fovea {
namespace {

constexpr const char* kFooter = R"(
  fovea camera                                       the first camera, in a window or on a page whose address is printed
  fovea camera street.mp4 --loop --model cells       a video that plays in real time
  fovea camera rtsp://user:password@camera/stream --headless --events seen.jsonl --record seen.mp4
  ffmpeg -i ... -f mjpeg - | fovea camera -          what any program sends

The newest picture is looked at; what comes meanwhile is dropped, and counted. Streams that break off are opened again.
Keys in the window: q ends it, m shows the next attention map, + and - change the threshold, s saves the picture.
The page lets in one browser for each address that is printed; its /snapshot.jpg is the newest picture as drawn, at most a second old.
Ctrl-C ends it in good order: what was recorded is a whole file.

Exit codes: 0 the source ended, or it was told to end; 1 the source failed; 64 wrong usage; 75 try again (disk full, reader gone).)";

// What the user can mend is wrong usage, whoever finds it; what the machine refuses at this moment is not.
template <class Work>
auto as_usage(const Work& work) {
  try {
    return work();
  } catch (const EnvironmentError&) { throw; } catch (const Error& e) {
    if (is_passing(e)) throw;
    throw UsageError(e.what());
  }
}

// The operation of the model's task, open.
Operation& open_operation(CameraArguments& a, LiveReport& report) {
  const Model model = as_usage([&] { return Model::load(a.model); });
  const std::string task = task_of(model).name();
  if (!a.operations.count(task))
    throw UsageError(fmt::format("{} is for {}, which takes no streams; models for these tasks do: {}", a.model, task,
                                 fmt::join(a.task_options.tasks(), ", ")));
  a.task_options.set(task, a.model);
  Operation& operation = *a.operations.at(task);
  std::string warning;
  as_usage([&] { operation.open(model, {.precision = parse_precision(a.precision, &warning), .out = {}, .report = false}); });
  if (!warning.empty()) report.warn(warning);
  if (operation.runs_only()) operation.model().release_weights();
  return operation;
}

// What looks at the frames, and how it begins.
struct Looking {
  std::unique_ptr<FrameAnalyzer> analyzer;
  LiveSettings settings;
};

// Maps that options name are shown from the beginning. Where they name none, whoever views may ask for any.
Looking begin_looking(const Operation& operation, bool viewed) {
  auto analyzer = operation.analyzer(false);
  const auto maps = analyzer->maps();
  if (viewed && maps.empty()) analyzer = operation.analyzer(true);
  warm_up(*analyzer);
  const LiveSettings settings{
      .threshold = analyzer->threshold(), .opacity = analyzer->opacity(), .layer = maps.empty() ? kNoLayer : maps.front()};
  return {std::move(analyzer), settings};
}

// A run and what looks after it each moment.
class CameraRun {
 public:
  CameraRun(const CameraArguments& a, const Operation& operation, std::unique_ptr<LiveSource> source, LiveReport& report)
      : arguments_(a),
        report_(report),
        looking_(begin_looking(operation, !a.headless)),
        live_(std::move(source), *looking_.analyzer, looking_.settings) {
    add_views();
  }

  // Until it ends or is told to; what went wrong is thrown once all is told.
  void run() {
    const auto ticker = std::make_unique<Ticker>(std::chrono::milliseconds(50), [this] { tick(); });
    if (!window_) return live_.run(stop_);
    // Windows belong to the first thread.
    auto live = std::async(std::launch::async, [&] {
      const ThreadScope threads(arguments_.threads);
      live_.run(stop_);
    });
    try {
      window_->loop([&] { return live.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    } catch (...) {
      stop_ = true;  // or the run would be waited for
      throw;
    }
    stop_ = true;
    live.get();
  }
  void tell_summary() {
    report_.summary({.figures = live_.statistics().overall(),
                     .status = live_.status(),
                     .recorded = recording_ ? recording_->files() : std::vector<std::filesystem::path>(),
                     .not_recorded = recording_ ? recording_->dropped() : 0,
                     .seen = looking_.analyzer->summary()});
  }

 private:
  void add_views() {
    if (arguments_.has_page()) {
      LiveServerOptions options = arguments_.page;
      options.layers = layers_of(*looking_.analyzer);
      live_.add(page_.emplace(options, live_.hooks()));
      if (const std::string warning = page_->server().warning(); !warning.empty()) report_.warn(warning);
      report_.page(page_->server().address());
    }
    if (arguments_.has_window()) live_.add(window_.emplace("Fovea", live_.settings(), layers_of(*looking_.analyzer)));
    if (!arguments_.record.empty()) live_.add(recording_.emplace(arguments_.record));
    if (!arguments_.events.empty()) live_.add(events_.emplace(arguments_.events, stop_));
  }

  void tick() {
    const auto now = LiveClock::now();
    const bool over = arguments_.limit > 0 && now - began_ >= std::chrono::duration<double>(arguments_.limit);
    if (over || Interrupt::requested() || !report_.is_read()) stop_ = true;
    if (stop_ || now - told_ < std::chrono::seconds(1)) return;
    told_ = now;
    // The address that let somebody in is used up.
    if (page_ && page_->server().address().find("token=") == std::string::npos) report_.page(page_->server().new_token());
    report_.status(live_.statistics().figures(), live_.status());
  }

  const CameraArguments& arguments_;
  LiveReport& report_;
  const Interrupt interrupt_;
  std::atomic<bool> stop_{false};
  const Looking looking_;
  LiveRun live_;
  std::optional<Recording> recording_;
  std::optional<EventLog> events_;
  std::optional<WindowView> window_;
  std::optional<PageView> page_;  // the last: it asks the others
  const LiveClock::time_point began_ = LiveClock::now();
  LiveClock::time_point told_ = {};  // when the status was
};

int run_camera(CameraArguments& a) {
  a.settle();
  const ThreadScope threads(a.threads);
  cv::setNumThreads(a.threads > 0 ? a.threads : cpu_budget());
  const auto report = make_live_report(a.json ? ProgressKind::json : a.quiet ? ProgressKind::quiet : ProgressKind::automatic);
  auto source = as_usage([&] { return open_source(a.source); });
  report->source(source->description());
  const Operation& operation = open_operation(a, *report);
  CameraRun camera(a, operation, std::move(source), *report);
  try {
    camera.run();
  } catch (...) {
    camera.tell_summary();
    throw;
  }
  camera.tell_summary();
  return kExitDone;
}

}  // namespace

Command camera_command() {
  auto a = std::make_shared<CameraArguments>();
  Command c{"camera", "Show what a model sees in a camera, a stream or a video, as it comes", kFooter};
  c.tunes = true;
  c.inputs = &a->after_serve;
  a->add_to(c.options);
  c.run = [a] { return run_camera(*a); };
  return c;
}

}  // namespace fovea
