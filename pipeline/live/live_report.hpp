// What a live run tells people, or programs, while it runs.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pipeline/live/mailbox.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {

struct LiveSummary {
  LiveFigures figures;  // of the whole run
  LiveStatus status;    // at its end
  std::vector<std::filesystem::path> recorded;
  std::int64_t not_recorded = 0;  // pictures for which the recording had no time
  nlohmann::ordered_json seen;    // FrameAnalyzer::summary()
};

class LiveReport {
 public:
  virtual ~LiveReport() = default;
  virtual void warn(const std::string& text) = 0;
  virtual void source(const std::string& description) = 0;
  virtual void page(const std::string& address) = 0;                              // lets one browser in
  virtual void status(const LiveFigures& figures, const LiveStatus& status) = 0;  // each second
  virtual void summary(const LiveSummary& summary) = 0;
  // False: whoever read it is gone.
  virtual bool is_read() const { return true; }
};

// automatic: on standard error; the status is one line that is written anew where that is a terminal, else a line every five seconds. quiet:
// warnings and the page's address alone. json: an object a line on standard output, by "event": "source", "page", "warning", "status",
// "summary".
std::unique_ptr<LiveReport> make_live_report(ProgressKind kind);

// "29.9 frames/s, age 24 ms (p99 31), 3 dropped, 212 MiB", or what keeps it from that.
std::string status_text(const LiveFigures& figures, const LiveStatus& status);

}  // namespace fovea
