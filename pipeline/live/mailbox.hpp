// Between a live source and what works on its pictures: one frame in flight, the newest waiting, never a queue. A thread of its
// own takes every frame that the source gives; one that nobody took when the next came is dropped. So what is worked on is as
// new as can be, whatever the work costs.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "pipeline/live/source.hpp"
#include "pipeline/live/statistics.hpp"

namespace fovea {

struct LiveStatus {
  enum class State { running, reconnecting, ended, failed, stopped };
  State state = State::running;
  std::string text;  // for people: "running: /dev/video0: MJPG 1280x720", "reconnecting in 4 s: /dev/video0: ..."
};
const char* to_text(LiveStatus::State state);  // "running", "reconnecting" ...

struct MailboxOptions {
  // Before the source is opened anew after an Error; doubled each time until a frame comes.
  std::chrono::milliseconds first_pause{500}, longest_pause{30'000};
};

class Mailbox {
 public:
  // `statistics` outlives it, and counts what goes through: captured = dropped + processed + the one that waits + the one in
  // flight.
  Mailbox(std::unique_ptr<LiveSource> source, LiveStatistics& statistics, MailboxOptions options = {});
  ~Mailbox();  // as stop()
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Waits for a frame that was not taken yet, by one thread at a time. None: the source has ended and its last frame was taken,
  // stop() was called, or `interrupt` is set (looked at every 50 ms). Throws what the source threw where it cannot be opened
  // anew.
  std::optional<LiveFrame> take(const std::atomic<bool>& interrupt);
  // The frame taken last has left: it counts as processed. One for which this is not said before the next is taken counts as
  // dropped.
  void finished();
  // Returns when the source's thread has ended, which is as prompt as the source: 100 ms, or what opening it anew takes.
  void stop();

  // Of any thread.
  LiveStatus status() const;
  std::string description() const;  // of the source

 private:
  void pump();
  void put(LiveFrame frame);
  void wait_to_reopen(std::chrono::milliseconds pause, const std::string& reason);
  void describe();
  void end(LiveStatus::State state, const std::string& reason, std::exception_ptr error);
  bool over() const { return state_ != LiveStatus::State::running && state_ != LiveStatus::State::reconnecting; }

  const std::unique_ptr<LiveSource> source_;
  LiveStatistics& statistics_;
  const MailboxOptions options_;

  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::optional<LiveFrame> waiting_;
  std::optional<LiveClock::time_point> in_flight_;  // when it was captured
  LiveStatus::State state_ = LiveStatus::State::running;
  std::string description_, reason_;
  LiveClock::time_point reopens_;
  std::exception_ptr error_;

  std::thread thread_;  // the last member: it uses the others
};

// What a page or a log shows each second: the figures, and "state" and "text" of the status.
nlohmann::ordered_json to_json(const LiveFigures& figures, const LiveStatus& status);

}  // namespace fovea
