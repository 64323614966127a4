#include "pipeline/live/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/core/resident.hpp"

namespace fovea {
namespace {

// A source of tiny pictures may give a million a second: the window is then shorter.
constexpr std::size_t kMostKept = 20'000;
constexpr std::size_t kMostMilliseconds = 60'000;

double seconds_between(LiveClock::time_point from, LiveClock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

template <class T>
void keep(std::deque<T>& kept, const T& value) {
  if (kept.size() == kMostKept) kept.pop_front();
  kept.push_back(value);
}

LiveClock::time_point time_of(LiveClock::time_point time) { return time; }

template <class T>
LiveClock::time_point time_of(const T& entry) {
  return entry.at;
}

// Those of the window, by the time in which they came.
template <class T>
double rate(const std::deque<T>& kept, LiveClock::time_point from, LiveClock::time_point now) {
  const auto first = std::find_if(kept.begin(), kept.end(), [&](const T& entry) { return time_of(entry) > from; });
  if (first == kept.end()) return 0;
  const bool full = kept.size() == kMostKept && first == kept.begin();
  const double span = seconds_between(full ? time_of(*first) : from, now);
  return span > 0 ? static_cast<double>(kept.end() - first) / span : 0;
}

// By nearest rank: a value that was measured.
double quantile(const std::vector<double>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

// The same of counts by millisecond.
std::optional<double> quantile(const std::vector<std::int64_t>& counts, std::int64_t all, double share) {
  if (all == 0) return std::nullopt;
  auto left = std::max<std::int64_t>(static_cast<std::int64_t>(std::ceil(share * static_cast<double>(all))), 1);
  std::size_t at = 0;
  while ((left -= counts[at]) > 0) ++at;
  return static_cast<double>(at);
}

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

}  // namespace

nlohmann::ordered_json to_json(const LiveFigures& f) {
  return {{"captured", f.counts.captured},
          {"missed", f.counts.missed},
          {"dropped", f.counts.dropped},
          {"processed", f.counts.processed},
          {"captured_fps", f.captured_rate},
          {"fps", f.processed_rate},
          {"age_ms", {{"median", or_null(f.age_median_ms)}, {"p99", or_null(f.age_p99_ms)}}},
          {"memory_mb", f.memory_mb},
          {"silent_seconds", f.silent_seconds},
          {"seconds", f.seconds}};
}

LiveStatistics::LiveStatistics(std::chrono::duration<double> window, Time now)
    : window_(std::chrono::duration_cast<LiveClock::duration>(window)), began_(now) {}

void LiveStatistics::captured(std::int64_t number, Time now) {
  std::lock_guard lock(mutex_);
  ++counts_.captured;
  if (last_number_ && number > *last_number_) counts_.missed += number - *last_number_ - 1;
  last_number_ = number;
  keep(captures_, now);
}

void LiveStatistics::dropped() {
  std::lock_guard lock(mutex_);
  ++counts_.dropped;
}

void LiveStatistics::processed(Time captured, Time now) {
  std::lock_guard lock(mutex_);
  ++counts_.processed;
  const double age_ms = 1000 * seconds_between(captured, now);
  keep(departures_, Left{now, age_ms});
  const auto whole = static_cast<std::size_t>(std::clamp(std::round(age_ms), 0.0, static_cast<double>(kMostMilliseconds)));
  if (ages_.size() <= whole) ages_.resize(whole + 1);
  ++ages_[whole];
}

LiveCounts LiveStatistics::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

LiveFigures LiveStatistics::figures(Time now) const {
  std::lock_guard lock(mutex_);
  const Time from = std::max(began_, now - window_);
  LiveFigures f = without_window(now);
  f.captured_rate = rate(captures_, from, now);
  f.processed_rate = rate(departures_, from, now);
  std::vector<double> ages;
  for (const Left& left : departures_)
    if (left.at > from) ages.push_back(left.age_ms);
  std::sort(ages.begin(), ages.end());
  if (!ages.empty()) f.age_median_ms = quantile(ages, 0.5), f.age_p99_ms = quantile(ages, 0.99);
  return f;
}

LiveFigures LiveStatistics::overall(Time now) const {
  std::lock_guard lock(mutex_);
  LiveFigures f = without_window(now);
  if (f.seconds > 0) f.captured_rate = static_cast<double>(counts_.captured) / f.seconds;
  if (f.seconds > 0) f.processed_rate = static_cast<double>(counts_.processed) / f.seconds;
  f.age_median_ms = quantile(ages_, counts_.processed, 0.5);
  f.age_p99_ms = quantile(ages_, counts_.processed, 0.99);
  return f;
}

LiveFigures LiveStatistics::without_window(Time now) const {
  LiveFigures f;
  f.counts = counts_;
  f.memory_mb = resident_memory_mb();
  f.silent_seconds = seconds_between(captures_.empty() ? began_ : captures_.back(), now);
  f.seconds = seconds_between(began_, now);
  return f;
}

}  // namespace fovea
