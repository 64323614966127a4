#include "pipeline/live/video_source.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <thread>
#include <utility>

#include "datasets/video/address.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kUsualStep = 1.0 / 25, kLongestStep = 3600;

double seconds_between(LiveClock::time_point from, LiveClock::time_point to) { return Seconds(to - from).count(); }

// Time stamps of damaged files may lie centuries ahead: a clock has less room.
LiveClock::time_point later(LiveClock::time_point from, double seconds) {
  constexpr double kFarthest = 1e9;
  return from + std::chrono::duration_cast<LiveClock::duration>(Seconds(std::clamp(seconds, -kFarthest, kFarthest)));
}

// Gives whether it came to that.
bool wait_until(LiveClock::time_point time, const std::atomic<bool>& stop) {
  constexpr auto kLook = std::chrono::milliseconds(50);
  for (auto now = LiveClock::now(); now < time && !stop; now = LiveClock::now())
    std::this_thread::sleep_for(std::min<LiveClock::duration>(time - now, kLook));
  return !stop;
}

// Of a frame, in seconds, as far as it is known.
double step_of(const VideoFrame& frame, const VideoFacts& facts) {
  double step = facts.time_base.seconds(frame.duration);
  if (step <= 0 && facts.frame_rate > 0) step = 1 / facts.frame_rate;
  return step > 0 ? std::min(step, kLongestStep) : kUsualStep;
}

}  // namespace

VideoSource::VideoSource(std::string source, const VideoSourceOptions& options) : source_(std::move(source)), options_(options) {
  open();
  is_paced_ = !is_address(source_) || facts_.seconds > 0;
  check(!options_.loop || is_paced_, name_, ": expected a file to loop, got a stream without an end");
}

void VideoSource::open() {
  reader_.reset();
  reader_.emplace(source_, VideoOptions{.threads = options_.threads, .timeout = options_.timeout, .low_latency = true});
  name_ = reader_->name();
  facts_ = reader_->facts();
  first_.reset();
  lost_ = 0;
}

std::string VideoSource::description() const {
  std::ostringstream text;
  text << name_ << ": " << facts_.codec << " " << facts_.size.width << "x" << facts_.size.height;
  text.precision(4);
  if (facts_.has_times && facts_.frame_rate > 0) text << ", " << facts_.frame_rate << " frames/s";
  if (is_paced_ && facts_.seconds > 0) text << ", " << facts_.seconds << " s";
  return text.str();
}

void VideoSource::reopen() {
  check(!is_paced_, name_, ": a video file is not opened again");
  open();
}

std::optional<LiveFrame> VideoSource::next(const std::atomic<bool>& stop) {
  if (stop) return std::nullopt;
  check(reader_.has_value(), name_, ": the stream is closed: open it again first");
  return is_paced_ ? next_paced(stop) : next_arriving(stop);
}

std::optional<LiveFrame> VideoSource::next_arriving(const std::atomic<bool>& stop) {
  std::optional<VideoFrame> frame;
  try {
    frame = reader_->next(&stop);
    check(frame || stop, name_, ": the stream has ended");
  } catch (const Error&) {
    reader_.reset();  // what is left of it would only fail again
    throw;
  }
  if (!frame) return std::nullopt;
  if (!start_) start_ = frame->received;
  number_ += reader_->lost() - std::exchange(lost_, reader_->lost());
  const double by_clock = seconds_between(*start_, frame->received);
  if (!first_) first_ = frame->seconds, from_ = by_clock;
  return LiveFrame{frame->image, frame->received, number_++, facts_.has_times ? from_ + frame->seconds - *first_ : by_clock};
}

std::optional<VideoFrame> VideoSource::decode_or_begin_again(const std::atomic<bool>& stop) {
  std::optional<VideoFrame> frame = reader_->decode(&stop);
  if (!frame && options_.loop && !stop) {
    open();
    from_ = latest_ + step_;
    frame = reader_->decode(&stop);
  }
  return frame;
}

// To leave frames out helps where decoding is faster than playing: judged after each second of it.
bool VideoSource::may_skip(double seconds_late, LiveClock::time_point now) {
  if (!behind_since_) {
    behind_since_ = now;
    behind_ = seconds_late;
  }
  if (seconds_between(*behind_since_, now) < 1) return true;
  const bool nearer = seconds_late < 0.9 * behind_;
  behind_since_ = now;
  behind_ = seconds_late;
  return nearer;
}

std::optional<LiveFrame> VideoSource::next_paced(const std::atomic<bool>& stop) {
  behind_since_.reset();
  while (const std::optional<VideoFrame> frame = decode_or_begin_again(stop)) {
    if (!first_) first_ = frame->seconds;
    latest_ = from_ + frame->seconds - *first_;
    step_ = step_of(*frame, facts_);
    const std::int64_t number = number_++;
    const LiveClock::time_point now = LiveClock::now();
    if (!start_) start_ = later(now, -latest_);
    const double late = seconds_between(later(*start_, latest_), now);
    if (late > step_ && may_skip(late, now)) continue;
    if (late > step_) start_ = later(now, -latest_);
    cv::Mat image = reader_->image();
    const LiveClock::time_point due = later(*start_, latest_);
    if (!wait_until(due, stop)) break;
    return LiveFrame{std::move(image), due, number, latest_};
  }
  return std::nullopt;
}

}  // namespace fovea
