#include "datasets/video/timing.hpp"

#include <algorithm>

namespace fovea {
namespace {

// Beyond it nothing is a time; sums of two stay whole numbers.
constexpr std::int64_t kFarthest = std::int64_t{1} << 61, kLongest = std::int64_t{1} << 40;

bool is_time(std::int64_t ticks) { return ticks > -kFarthest && ticks < kFarthest; }

std::string counted(std::int64_t n, const std::string& one, const std::string& many) {
  return n == 1 ? "1 " + one : std::to_string(n) + " " + many;
}

}  // namespace

Timing::Timing(std::int64_t second, std::int64_t step)
    : second_(std::clamp<std::int64_t>(second, 1, kLongest)), step_(std::clamp<std::int64_t>(step, 1, kLongest)) {}

std::int64_t Timing::place(std::optional<std::int64_t> stamp, std::int64_t duration) {
  const std::int64_t follows = last_ ? *last_ + (last_duration_ > 0 ? last_duration_ : step_) : 0;
  std::int64_t at = follows;
  if (!stamp || !is_time(*stamp) || !is_time(*stamp + shift_)) {
    ++missing_;
  } else if (at = *stamp + shift_; last_ && at <= *last_ - second_) {
    ++restarts_;
    shift_ += follows - at;
    at = follows;
  } else if (last_ && at <= *last_) {
    ++backwards_;
    at = *last_ + 1;
  }
  last_ = std::min(at, 2 * kFarthest - kLongest);
  last_duration_ = duration < kLongest ? duration : 0;
  return *last_;
}

std::vector<std::string> Timing::notes() const {
  std::vector<std::string> out;
  if (missing_) out.push_back(counted(missing_, "frame has", "frames have") + " no time stamp: placed by the frame rate");
  if (backwards_)
    out.push_back(counted(backwards_, "time stamp runs", "time stamps run") + " backwards: moved up to the frame before");
  if (restarts_) out.push_back("the clock begins anew " + counted(restarts_, "time", "times") + ": it goes on as if it did not");
  return out;
}

}  // namespace fovea
