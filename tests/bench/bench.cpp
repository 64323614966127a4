#include "tests/bench/bench.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "modules/core/error.hpp"

namespace fovea::bench {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string text_of(double value) { return std::isnan(value) ? "-" : fmt::format("{:.4g}", value); }

nlohmann::json json_of(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

constexpr Spread kNoQuartiles{kNone, kNone, kNone};

// Whether the limit lies between quartiles that are too far apart to say on which side of it the median is.
bool unclear(const Spread& ratio, double limit) {
  return ratio.lower <= limit && limit <= ratio.upper && ratio.upper > 1.1 * ratio.lower;
}

}  // namespace

void Report::at_most(const std::string& name, double value, double limit) {
  add({name, value <= limit ? "ok" : "SHORT", value, limit, kNoQuartiles});
}

void Report::at_least(const std::string& name, double value, double limit) {
  add({name, value >= limit ? "ok" : "SHORT", value, limit, kNoQuartiles});
}

void Report::at_most(const std::string& name, const Spread& ratio, double limit) {
  add({name, unclear(ratio, limit) ? "UNCLEAR" : ratio.median <= limit ? "ok" : "SHORT", ratio.median, limit, ratio});
}

void Report::at_least(const std::string& name, const Spread& ratio, double limit) {
  add({name, unclear(ratio, limit) ? "UNCLEAR" : ratio.median >= limit ? "ok" : "SHORT", ratio.median, limit, ratio});
}

void Report::note(const std::string& name, double value) { add({name, "info", value, kNone, kNoQuartiles}); }

void Report::note(const std::string& name, const Spread& ratio) { add({name, "info", ratio.median, kNone, ratio}); }

void Report::state(const std::string& name, const std::string& text) { add({name, "info: " + text, kNone, kNone, kNoQuartiles}); }

void Report::skip(const std::string& name, const std::string& reason) {
  add({name, "skipped: " + reason, kNone, kNone, kNoQuartiles});
}

void Report::add(Figure figure) {
  const Spread& q = figure.quartiles;
  const std::string quartiles = std::isnan(q.median) ? "" : fmt::format(" ({} to {})", text_of(q.lower), text_of(q.upper));
  fmt::print("{} {} {} {}{}\n", figure.name, text_of(figure.value), text_of(figure.limit), figure.verdict, quartiles);
  std::fflush(stdout);
  figures_.push_back(std::move(figure));
}

bool Report::any_short() const {
  return std::any_of(figures_.begin(), figures_.end(), [](const Figure& f) { return f.verdict == "SHORT"; });
}

void Report::write_json(const std::filesystem::path& file) const {
  nlohmann::json figures = nlohmann::json::array();
  for (const Figure& f : figures_)
    figures.push_back({{"name", f.name},
                       {"value", json_of(f.value)},
                       {"lower", json_of(f.quartiles.lower)},
                       {"upper", json_of(f.quartiles.upper)},
                       {"limit", json_of(f.limit)},
                       {"verdict", f.verdict}});
  const auto missed = std::count_if(figures_.begin(), figures_.end(), [](const Figure& f) { return f.verdict == "SHORT"; });
  std::ofstream out(file);
  out << nlohmann::json{{"short", missed}, {"figures", figures}}.dump(2) << '\n';
  check(out.good(), "bench: cannot write ", file.string());
}

double seconds(const std::function<void()>& task) {
  const auto start = std::chrono::steady_clock::now();
  task();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Run timed(std::function<void()> task) {
  return [task = std::move(task)] { return seconds(task); };
}

std::filesystem::path program(const std::string& name) {
  const auto file = std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
  check(std::filesystem::exists(file), "bench: ", file.string(), " is not built");
  return file;
}

std::filesystem::path scratch_folder() {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bench";
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace fovea::bench
