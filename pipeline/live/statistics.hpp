// What a live run reaches: frames a second, how old a picture is when it leaves, and what was lost on the way.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "pipeline/live/source.hpp"

namespace fovea {

struct LiveCounts {
  std::int64_t captured = 0;   // frames that the source gave
  std::int64_t missed = 0;     // that the source numbered and never gave: lost in its own queue, or damaged
  std::int64_t dropped = 0;    // captured, but a newer one came first, or the work on it was given up
  std::int64_t processed = 0;  // captured and left

  bool operator==(const LiveCounts&) const = default;
};

struct LiveFigures {
  LiveCounts counts;                                // since the beginning; all others are of the window
  double captured_rate = 0, processed_rate = 0;     // frames a second
  std::optional<double> age_median_ms, age_p99_ms;  // from capture to leaving; none where none left
  double memory_mb = 0;                             // resident set at this moment, MiB
  double silent_seconds = 0;                        // since the source gave a frame, or since the beginning
  double seconds = 0;                               // since the beginning
};

// Keys: captured, missed, dropped, processed, captured_fps, fps, age_ms {median, p99} (null where there is none), memory_mb,
// silent_seconds, seconds.
nlohmann::ordered_json to_json(const LiveFigures& figures);

// Any thread.
class LiveStatistics {
 public:
  using Time = LiveClock::time_point;

  explicit LiveStatistics(std::chrono::duration<double> window = std::chrono::seconds(5), Time now = LiveClock::now());

  // Frames in the order of the source. A number that is lower than the last one belongs to a source that was opened anew.
  void captured(std::int64_t number, Time now = LiveClock::now());
  void dropped();
  void processed(Time captured, Time now = LiveClock::now());

  LiveCounts counts() const;
  LiveFigures figures(Time now = LiveClock::now()) const;
  // The same over the whole run; ages to the millisecond.
  LiveFigures overall(Time now = LiveClock::now()) const;

 private:
  struct Left {
    Time at;
    double age_ms;
  };

  LiveFigures without_window(Time now) const;

  const LiveClock::duration window_;
  const Time began_;
  mutable std::mutex mutex_;
  LiveCounts counts_;
  std::optional<std::int64_t> last_number_;
  std::deque<Time> captures_;
  std::deque<Left> departures_;
  std::vector<std::int64_t> ages_;  // frames that left at an age of so many milliseconds; the last: or more
};

}  // namespace fovea
