#include "pipeline/live/live_report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "modules/core/text.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

constexpr double kSilence = 2;  // seconds without a frame that are worth a word
constexpr int kLineEvery = 5;   // seconds, where lines stay

std::string figures_text(const LiveFigures& f) {
  const std::string age = f.age_median_ms && f.age_p99_ms
                              ? fmt::format(", age {:.0f} ms (p99 {:.0f})", *f.age_median_ms, *f.age_p99_ms)
                              : std::string();
  return fmt::format("{:.1f} frames/s{}, {} dropped{}", f.processed_rate, age, f.counts.dropped,
                     f.counts.missed > 0 ? fmt::format(", {} missed", f.counts.missed) : "");
}

class Quiet : public LiveReport {
 public:
  void warn(const std::string& text) override { say(text); }
  void source(const std::string&) override {}
  void page(const std::string& address) override { say("for one browser: " + address); }
  void status(const LiveFigures&, const LiveStatus&) override {}
  void summary(const LiveSummary&) override {}

 protected:
  static void say(const std::string& text) { std::cerr << "fovea: " + printable(text) + "\n"; }
};

class People final : public Quiet {
 public:
  void warn(const std::string& text) override { in_line("fovea: " + printable(text)); }
  void source(const std::string& description) override { in_line(printable(description)); }
  void page(const std::string& address) override { in_line("The live page, for one browser: " + printable(address)); }

  void status(const LiveFigures& figures, const LiveStatus& status) override {
    const std::string text = printable(status_text(figures, status));
    if (terminal_) std::cerr << kClear + text << std::flush;
    else if (++silent_ % kLineEvery == 0) std::cerr << text + "\n";
  }

  void summary(const LiveSummary& s) override {
    in_line(fmt::format("{}: {} frames in {:.1f} s, {}", to_text(s.status.state), s.figures.counts.processed, s.figures.seconds,
                        figures_text(s.figures)));
    for (const auto& file : s.recorded) in_line("recorded: " + printable(file.string()));
    if (s.not_recorded > 0)
      in_line(fmt::format("{} pictures are not in the recording: encoding takes too long here", s.not_recorded));
  }

 private:
  static constexpr const char* kClear = "\r\x1b[K";
  // In the place of the status line.
  void in_line(const std::string& text) const { std::cerr << (terminal_ ? kClear : "") + text + "\n"; }

  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  int silent_ = 0;  // statuses
};

class JsonLines final : public LiveReport {
 public:
  void warn(const std::string& text) override { print({{"event", "warning"}, {"text", text}}); }
  void source(const std::string& description) override { print({{"event", "source"}, {"text", description}}); }
  void page(const std::string& address) override { print({{"event", "page"}, {"address", address}}); }
  void status(const LiveFigures& figures, const LiveStatus& status) override {
    nlohmann::ordered_json event{{"event", "status"}};
    event.update(to_json(figures, status));
    print(event);
  }
  void summary(const LiveSummary& s) override {
    nlohmann::ordered_json event{{"event", "summary"}};
    event.update(to_json(s.figures, s.status));
    event["recorded"] = nlohmann::ordered_json::array();
    for (const auto& file : s.recorded) event["recorded"].push_back(file.string());
    event["not_recorded"] = s.not_recorded;
    event["seen"] = s.seen;
    print(event);
  }
  bool is_read() const override { return static_cast<bool>(std::cout); }

 private:
  static void print(const nlohmann::ordered_json& event) { std::cout << dump(event) << "\n" << std::flush; }
};

}  // namespace

std::string status_text(const LiveFigures& f, const LiveStatus& status) {
  if (status.state != LiveStatus::State::running) return status.text;
  if (f.silent_seconds > kSilence) return fmt::format("no picture for {:.0f} s: {}", f.silent_seconds, status.text);
  return fmt::format("{}, {:.0f} MiB", figures_text(f), f.memory_mb);
}

std::unique_ptr<LiveReport> make_live_report(ProgressKind kind) {
  switch (kind) {
    case ProgressKind::quiet: return std::make_unique<Quiet>();
    case ProgressKind::json: return std::make_unique<JsonLines>();
    default: return std::make_unique<People>();
  }
}

}  // namespace fovea
