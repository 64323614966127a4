// A live run: the newest frame of the source, what the network says of it, the views; one after the other, since drawing and encoding take a
// fraction of the network's time. The source and the clients of the page have threads of their own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/frame_analyzer.hpp"
#include "pipeline/live/live_view.hpp"
#include "pipeline/live/mailbox.hpp"
#include "pipeline/live/server.hpp"
#include "pipeline/live/settings.hpp"

namespace fovea {

// The layers that a viewer may choose from: nothing, then the analyzer's maps.
inline constexpr const char* kNoLayer = "none";
std::vector<std::string> layers_of(const FrameAnalyzer& analyzer);

// Has the network compiled, which takes as long as many frames.
void warm_up(const FrameAnalyzer& analyzer);

class LiveRun {
 public:
  // The source gives frames from now on. `analyzer` and views outlive the run.
  LiveRun(std::unique_ptr<LiveSource> source, FrameAnalyzer& analyzer, LiveSettings settings);

  // What a page asks, on its own thread; it is gone before the run is.
  LiveServerHooks hooks();
  void add(LiveView& view) { views_.push_back(&view); }

  // Until the source ends or `stop` is set. A frame has left, and its age is taken, when all views have it. All views are finished however
  // the run ends; then what went wrong first is thrown.
  void run(const std::atomic<bool>& stop);

  // Any thread.
  SharedSettings& settings() { return settings_; }
  const LiveStatistics& statistics() const { return statistics_; }
  LiveStatus status() const { return mailbox_.status(); }
  std::string description() const { return mailbox_.description(); }

 private:
  void look_at(const LiveFrame& frame);

  FrameAnalyzer& analyzer_;
  SharedSettings settings_;
  LiveStatistics statistics_;
  Mailbox mailbox_;
  std::vector<LiveView*> views_;
};

}  // namespace fovea
