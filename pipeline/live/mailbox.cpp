#include "pipeline/live/mailbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "modules/core/error.hpp"

namespace fovea {

using State = LiveStatus::State;

const char* to_text(State state) {
  switch (state) {
    case State::running: return "running";
    case State::reconnecting: return "reconnecting";
    case State::ended: return "ended";
    case State::failed: return "failed";
    case State::stopped: return "stopped";
  }
  return "";
}

Mailbox::Mailbox(std::unique_ptr<LiveSource> source, LiveStatistics& statistics, MailboxOptions options)
    : source_(std::move(source)), statistics_(statistics), options_(options) {
  describe();
  thread_ = std::thread([this] { pump(); });
}

Mailbox::~Mailbox() { stop(); }

std::optional<LiveFrame> Mailbox::take(const std::atomic<bool>& interrupt) {
  std::unique_lock lock(mutex_);
  if (std::exchange(in_flight_, std::nullopt)) statistics_.dropped();
  // A signal handler sets `interrupt` and can wake nobody.
  while (!waiting_ && !over() && !interrupt) wake_.wait_for(lock, std::chrono::milliseconds(50));
  if (interrupt || stop_) return std::nullopt;
  if (waiting_) {
    in_flight_ = waiting_->captured;
    return std::exchange(waiting_, std::nullopt);
  }
  if (error_) std::rethrow_exception(error_);
  return std::nullopt;
}

void Mailbox::finished() {
  std::lock_guard lock(mutex_);
  if (const auto captured = std::exchange(in_flight_, std::nullopt)) statistics_.processed(*captured);
}

void Mailbox::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    if (!over()) state_ = State::stopped;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::lock_guard lock(mutex_);
  if (std::exchange(waiting_, std::nullopt)) statistics_.dropped();
}

LiveStatus Mailbox::status() const {
  std::lock_guard lock(mutex_);
  LiveStatus status{state_, to_text(state_)};
  if (state_ == State::reconnecting) {
    const double left = std::ceil(std::chrono::duration<double>(reopens_ - LiveClock::now()).count());
    if (left > 0) status.text += fmt::format(" in {:.0f} s", left);
  }
  const std::string& rest = state_ == State::running ? description_ : reason_;
  if (!rest.empty()) status.text += ": " + rest;
  return status;
}

std::string Mailbox::description() const {
  std::lock_guard lock(mutex_);
  return description_;
}

void Mailbox::pump() {
  auto pause = options_.first_pause;
  bool open = true;
  try {
    while (!stop_) {
      try {
        if (!std::exchange(open, true)) source_->reopen(), describe();
        std::optional<LiveFrame> frame = source_->next(stop_);
        if (!frame) break;
        put(std::move(*frame));
        pause = options_.first_pause;
      } catch (const Error& e) {
        if (!source_->can_reopen()) throw;
        open = false;
        wait_to_reopen(pause, e.what());
        pause = std::min(2 * pause, options_.longest_pause);
      }
    }
    end(State::ended, "", nullptr);
  } catch (const std::exception& e) {
    end(State::failed, e.what(), std::current_exception());
  } catch (...) {  // a source may be anybody's: nothing that it throws may end the program
    end(State::failed, "an unknown error", std::current_exception());
  }
}

void Mailbox::put(LiveFrame frame) {
  {
    std::lock_guard lock(mutex_);
    statistics_.captured(frame.number);
    if (waiting_) statistics_.dropped();
    waiting_ = std::move(frame);
    if (!stop_) state_ = State::running;
  }
  wake_.notify_all();
}

void Mailbox::wait_to_reopen(std::chrono::milliseconds pause, const std::string& reason) {
  std::unique_lock lock(mutex_);
  if (stop_) return;
  state_ = State::reconnecting;
  reason_ = reason;
  reopens_ = LiveClock::now() + pause;
  wake_.wait_until(lock, reopens_, [&] { return stop_.load(); });
}

void Mailbox::describe() {
  std::string text = source_->description();
  std::lock_guard lock(mutex_);
  description_ = std::move(text);
}

void Mailbox::end(State state, const std::string& reason, std::exception_ptr error) {
  {
    std::lock_guard lock(mutex_);
    if (!stop_) state_ = state;
    reason_ = reason;
    error_ = std::move(error);
  }
  wake_.notify_all();
}

nlohmann::ordered_json to_json(const LiveFigures& figures, const LiveStatus& status) {
  nlohmann::ordered_json json = to_json(figures);
  json["state"] = to_text(status.state);
  json["text"] = status.text;
  return json;
}

}  // namespace fovea
