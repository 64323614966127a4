#include "pipeline/sinks/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "pipeline/clock.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

// Of the bar. On std::clog, because std::cerr may be one that lets only text through.
void clear_line() { std::clog << "\r\x1b[K" << std::flush; }

class Quiet final : public Progress {
 public:
  void warn(const std::string&) override {}
  void start(std::size_t) override {}
  void up_to_date(const std::string&) override {}
  void done(const Frame&) override {}
  void quarantined(const std::string&, const std::string&) override {}
  void skipped(const std::string&, const std::string&) override {}
  void left(const std::string&, const std::string&) override {}
  void stop() override {}
};

class JsonEvents final : public Progress {
 public:
  void warn(const std::string& text) override { print({{"event", "warning"}, {"text", text}}); }
  void start(std::size_t total) override { print({{"event", "start"}, {"total", total}}); }
  void up_to_date(const std::string& source) override {
    nlohmann::ordered_json event{{"event", "up_to_date"}};
    put_name(event, "input", source);
    print(event);
  }
  void done(const Frame& frame) override {
    nlohmann::ordered_json event{{"event", "done"}};
    put_name(event, "input", frame.source);
    put_name(event, "output", frame.output.string());
    for (const StageTime& time : frame.times) event["seconds"][std::string(time.stage)] = time.wall;
    print(event);
  }
  void quarantined(const std::string& source, const std::string& reason) override { tell("quarantined", source, reason); }
  void skipped(const std::string& source, const std::string& reason) override { tell("skipped", source, reason); }
  void left(const std::string& source, const std::string& reason) override { tell("left", source, reason); }
  void note(const std::string& source, const std::string& text) override {
    nlohmann::ordered_json event{{"event", "note"}};
    put_name(event, "input", source);
    event["text"] = text;
    print(event);
  }
  void advance(const std::string& source, double share) override {
    const double now = wall_seconds();
    if (now - advanced_ < 1) return;
    advanced_ = now;
    nlohmann::ordered_json event{{"event", "advance"}};
    put_name(event, "input", source);
    event["share"] = share;
    print(event);
  }
  void stop() override {}

 private:
  static void tell(const char* what, const std::string& source, const std::string& reason) {
    nlohmann::ordered_json event{{"event", what}};
    put_name(event, "input", source);
    event["reason"] = reason;
    print(event);
  }
  static void print(const nlohmann::ordered_json& event) { std::cout << dump(event) << "\n" << std::flush; }

  double advanced_ = 0;  // when it was last told
};

// On std::cerr, which stays silent where it cannot be written: that never ends a run. The bar, and the plain lines where there is no terminal. A thread of its own draws, so that the clock moves while one large
// image takes minutes.
class People final : public Progress {
 public:
  explicit People(bool terminal) : terminal_(terminal) {}
  ~People() override { stop(); }

  void warn(const std::string& text) override { std::cerr << "fovea: " << printable(text) << "\n"; }
  void start(std::size_t total) override {
    total_ = total;
    started_ = wall_seconds();
    ticker_ = std::jthread([this](const std::stop_token& stopping) {
      std::unique_lock lock(mutex_);
      const auto pause = terminal_ ? std::chrono::milliseconds(250) : std::chrono::milliseconds(5000);
      while (!wake_.wait_for(lock, stopping, pause, [&] { return stopping.stop_requested(); }) && !stopping.stop_requested())
        draw();
    });
  }
  void up_to_date(const std::string&) override {
    std::lock_guard lock(mutex_);
    ++skipped_;
  }
  void done(const Frame& frame) override {
    std::lock_guard lock(mutex_);
    ++done_;
    underway_.erase(frame.source);
  }
  void quarantined(const std::string& source, const std::string& reason) override {
    std::lock_guard lock(mutex_);
    ++quarantined_;
    underway_.erase(source);
    tell("quarantined", source, reason);
  }
  void skipped(const std::string&, const std::string&) override {}  // the summary lists them
  void left(const std::string& source, const std::string& reason) override {
    std::lock_guard lock(mutex_);
    tell("left for next time", source, reason);
  }
  void note(const std::string& source, const std::string& text) override {
    std::lock_guard lock(mutex_);
    tell("note", source, text);
  }
  void advance(const std::string& source, double share) override {
    std::lock_guard lock(mutex_);
    underway_[source] = share;
  }
  void stop() override {
    if (!ticker_.joinable()) return;
    ticker_.request_stop();
    ticker_.join();
    if (terminal_) clear_line();
  }

 private:
  void tell(const char* what, const std::string& source, const std::string& reason) const {
    if (terminal_) clear_line();
    std::cerr << fmt::format("{}: {}: {}\n", what, printable(source), printable(reason));
  }
  void draw() const {
    try {
      draw_now();
    } catch (const std::exception&) {}  // out of memory: the clock is not worth the run
  }
  void draw_now() const {
    const double elapsed = wall_seconds() - started_;
    const std::size_t reached = done_ + skipped_ + quarantined_;
    const double rate = elapsed > 0 ? static_cast<double>(done_) / elapsed : 0;
    std::string text = fmt::format("{}/{}", reached, total_);
    if (done_ > 0) {
      const double left = static_cast<double>(total_ - std::min(reached, total_)) / rate;
      text += fmt::format("  {:.2f} images/s  {} left", rate, clock_text(left));
    } else {
      text += fmt::format("  {}", clock_text(elapsed));
    }
    for (const auto& [source, share] : underway_) text += fmt::format("  {} {:.0f} %", printable(source), 100 * share);
    if (quarantined_ > 0) text += fmt::format("  {} quarantined", quarantined_);
    if (!terminal_) return void(std::cerr << text + "\n");
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = total_ > 0 ? std::min(kWidth, reached * kWidth / total_) : 0;
    std::string bar;
    for (std::size_t i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
    clear_line();
    std::clog << fmt::format("{} {}", bar, text) << std::flush;
  }

  const bool terminal_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::size_t total_ = 0, done_ = 0, skipped_ = 0, quarantined_ = 0;
  double started_ = 0;
  std::map<std::string, double> underway_;  // inputs that take long, and how much of each is done
  std::jthread ticker_;
};

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressKind kind) {
  if (kind == ProgressKind::quiet) return std::make_unique<Quiet>();
  if (kind == ProgressKind::json) return std::make_unique<JsonEvents>();
  return std::make_unique<People>(::isatty(STDERR_FILENO) == 1);
}

std::string clock_text(double seconds) {
  const auto total = static_cast<long long>(std::clamp(seconds, 0.0, 3.6e8) + 0.5);
  if (total < 3600) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

}  // namespace fovea
