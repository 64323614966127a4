// Measurements with a limit. A group is a function that measures and reports; main.cpp lists the groups by name.
//
//   void train_step(Report& report) {
//     auto [ours, floor] = interleaved<2>(5, {[&] { step(); }, [&] { bare_convolutions(); }});
//     report.at_most("train_step.f32.over_floor", ours / floor, 1.20);
//   }
//
// Limits are ratios of things measured in the same run: the machine's speed and its other load cancel out.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fovea::bench {

class Report {
 public:
  // Prints "name value limit ok", or SHORT where value > limit (or is not a number).
  void at_most(const std::string& name, double value, double limit);
  void at_least(const std::string& name, double value, double limit);  // SHORT where value < limit
  // Prints "name value - info": what a ratio was made of.
  void note(const std::string& name, double value);
  // Prints "name - - info: text": a version, say.
  void state(const std::string& name, const std::string& text);
  // Prints "name - - skipped: reason": the machine lacks what the figure needs. Counts neither way.
  void skip(const std::string& name, const std::string& reason);

  bool any_short() const;
  // {"short": n, "figures": [{"name":, "value":, "limit":, "verdict":}]}, values null where there is none.
  void write_json(const std::filesystem::path& file) const;

 private:
  struct Figure {
    std::string name, verdict;
    double value, limit;
  };
  void add(Figure figure);

  std::vector<Figure> figures_;
};

using Task = std::function<void()>;

double seconds(const Task& task);
double median(std::vector<double> values);

// Median seconds of each task. Every round runs each task once, so a slow spell of the machine hits all of them alike; one
// round before these warms caches and is not counted.
std::vector<double> interleaved(int rounds, const std::vector<Task>& tasks);
template <std::size_t N>
std::array<double, N> interleaved(int rounds, const std::array<Task, N>& tasks) {
  const std::vector<double> medians = interleaved(rounds, std::vector<Task>(tasks.begin(), tasks.end()));
  std::array<double, N> out{};
  std::copy(medians.begin(), medians.end(), out.begin());
  return out;
}

// A program beside this one ("fovea"), and a folder of ours there for what measurements write.
std::filesystem::path program(const std::string& name);
std::filesystem::path scratch_folder();
// Standard output of a command; throws Error when it does not exit with 0. Arguments are passed as they are, without a shell.
std::string output_of(const std::vector<std::string>& command);

// What `fovea_bench --compile THREADS` prints: how long ResNet-50 takes to compile and to run once, which lays its weights out, in a
// process that has done nothing else.
double compile_seconds(int threads);

// The groups.
void attention(Report& report);
void batch(Report& report);
void compile(Report& report);
void onnx(Report& report);
void plan(Report& report);
void runtime(Report& report);
void train_networks(Report& report);
void train_step(Report& report);

}  // namespace fovea::bench
