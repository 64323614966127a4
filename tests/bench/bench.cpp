#include "tests/bench/bench.hpp"

#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "modules/core/error.hpp"

namespace fovea::bench {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string text_of(double value) { return std::isnan(value) ? "-" : fmt::format("{:.4g}", value); }

nlohmann::json json_of(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

std::string read_all(int descriptor) {
  std::string out;
  std::array<char, 4096> buffer;
  ssize_t n;
  while ((n = read(descriptor, buffer.data(), buffer.size())) > 0) out.append(buffer.data(), static_cast<std::size_t>(n));
  return out;
}

}  // namespace

void Report::at_most(const std::string& name, double value, double limit) {
  add({name, value <= limit ? "ok" : "SHORT", value, limit});
}

void Report::at_least(const std::string& name, double value, double limit) {
  add({name, value >= limit ? "ok" : "SHORT", value, limit});
}

void Report::note(const std::string& name, double value) { add({name, "info", value, kNone}); }

void Report::state(const std::string& name, const std::string& text) { add({name, "info: " + text, kNone, kNone}); }

void Report::skip(const std::string& name, const std::string& reason) { add({name, "skipped: " + reason, kNone, kNone}); }

void Report::add(Figure figure) {
  fmt::print("{} {} {} {}\n", figure.name, text_of(figure.value), text_of(figure.limit), figure.verdict);
  std::fflush(stdout);
  figures_.push_back(std::move(figure));
}

bool Report::any_short() const {
  return std::any_of(figures_.begin(), figures_.end(), [](const Figure& f) { return f.verdict == "SHORT"; });
}

void Report::write_json(const std::filesystem::path& file) const {
  nlohmann::json figures = nlohmann::json::array();
  for (const Figure& f : figures_)
    figures.push_back({{"name", f.name}, {"value", json_of(f.value)}, {"limit", json_of(f.limit)}, {"verdict", f.verdict}});
  const auto missed = std::count_if(figures_.begin(), figures_.end(), [](const Figure& f) { return f.verdict == "SHORT"; });
  std::ofstream out(file);
  out << nlohmann::json{{"short", missed}, {"figures", figures}}.dump(2) << '\n';
  check(out.good(), "bench: cannot write ", file.string());
}

double seconds(const Task& task) {
  const auto start = std::chrono::steady_clock::now();
  task();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  check(!values.empty(), "median: expected at least one value");
  const std::size_t middle = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<double> interleaved(int rounds, const std::vector<Task>& tasks) {
  std::vector<std::vector<double>> times(tasks.size());
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const double t = seconds(tasks[i]);
      if (round >= 0) times[i].push_back(t);
    }
  }
  std::vector<double> medians;
  for (auto& t : times) medians.push_back(median(std::move(t)));
  return medians;
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

std::string output_of(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  int pipe_ends[2];
  check(pipe(pipe_ends) == 0, "bench: no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
  posix_spawn_file_actions_addclose(&actions, pipe_ends[1]);
  pid_t child;
  const int error = posix_spawn(&child, command.front().c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  std::string out = error == 0 ? read_all(pipe_ends[0]) : "";
  close(pipe_ends[0]);
  check(error == 0, "bench: cannot start ", command.front());
  int status = 0;
  waitpid(child, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "bench: ", command.front(), ": expected exit code 0, got ",
        WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return out;
}

}  // namespace fovea::bench
