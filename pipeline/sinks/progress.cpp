#include "pipeline/sinks/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "pipeline/clock.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

class Quiet final : public Progress {
 public:
  void start(std::size_t) override {}
  void up_to_date(const std::string&) override {}
  void done(const Frame&) override {}
  void quarantined(const std::string&, const std::string&) override {}
  void stop() override {}
};

class JsonEvents final : public Progress {
 public:
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
  void quarantined(const std::string& source, const std::string& reason) override {
    nlohmann::ordered_json event{{"event", "quarantined"}};
    put_name(event, "input", source);
    event["reason"] = reason;
    print(event);
  }
  void stop() override {}

 private:
  static void print(const nlohmann::ordered_json& event) {
    fmt::print("{}\n", dump(event));
    std::fflush(stdout);
  }
};

// The bar, and the plain lines where there is no terminal. A thread of its own draws, so that the clock moves while one large
// image takes minutes.
class People final : public Progress {
 public:
  explicit People(bool terminal) : terminal_(terminal) {}
  ~People() override { stop(); }

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
  void up_to_date(const std::string&) override { count(skipped_); }
  void done(const Frame&) override { count(done_); }
  void quarantined(const std::string& source, const std::string& reason) override {
    std::lock_guard lock(mutex_);
    ++quarantined_;
    fmt::print(stderr, "{}quarantined: {}: {}\n", terminal_ ? "\r\x1b[K" : "", printable(source), printable(reason));
  }
  void stop() override {
    if (!ticker_.joinable()) return;
    ticker_.request_stop();
    ticker_.join();
    if (terminal_) fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  }

 private:
  void count(std::size_t& which) {
    std::lock_guard lock(mutex_);
    ++which;
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
    if (quarantined_ > 0) text += fmt::format("  {} quarantined", quarantined_);
    if (!terminal_) return fmt::print(stderr, "{}\n", text);
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = total_ > 0 ? std::min(kWidth, reached * kWidth / total_) : 0;
    std::string bar;
    for (std::size_t i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
    fmt::print(stderr, "\r\x1b[K{} {}", bar, text);
    std::fflush(stderr);
  }

  const bool terminal_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::size_t total_ = 0, done_ = 0, skipped_ = 0, quarantined_ = 0;
  double started_ = 0;
  std::jthread ticker_;
};

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressKind kind) {
  if (kind == ProgressKind::quiet) return std::make_unique<Quiet>();
  if (kind == ProgressKind::json) return std::make_unique<JsonEvents>();
  return std::make_unique<People>(::isatty(STDERR_FILENO) == 1);
}

std::string printable(const std::string& text) {
  std::string clean = text;
  for (char& c : clean)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
  return clean;
}

std::string clock_text(double seconds) {
  const auto total = static_cast<long long>(std::clamp(seconds, 0.0, 3.6e8) + 0.5);
  if (total < 3600) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

}  // namespace fovea
