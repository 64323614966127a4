// Measurements with a limit. A group is a function that measures and reports; main.cpp lists the groups by name.
//
//   void train_step(Report& report) {
//     const Times t = interleaved(9, {timed([&] { step(); }), timed([&] { bare_convolutions(); })});
//     report.at_most("train_step.f32.over_floor", t.over(0, 1), 1.20);
//   }
//
// Limits are ratios of things measured in turn: the machine's speed and its other load cancel out.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/spread.hpp"

namespace fovea::bench {

class Report {
 public:
  // Prints "name value limit ok", or SHORT where value > limit (or is not a number).
  void at_most(const std::string& name, double value, double limit);
  void at_least(const std::string& name, double value, double limit);  // SHORT where value < limit
  // The same for the median of ratios, with the quartiles behind it; UNCLEAR, which counts neither way, where the limit is between
  // quartiles that are over 10 % apart: other work was too much for a verdict.
  void at_most(const std::string& name, const Spread& ratio, double limit);
  void at_least(const std::string& name, const Spread& ratio, double limit);
  // Prints "name value - info": what a ratio was made of.
  void note(const std::string& name, double value);
  void note(const std::string& name, const Spread& ratio);
  // Prints "name - - info: text": a version, say.
  void state(const std::string& name, const std::string& text);
  // Prints "name - - skipped: reason": the machine lacks what the figure needs. Counts neither way.
  void skip(const std::string& name, const std::string& reason);

  bool any_short() const;
  // {"short": n, "figures": [{"name":, "value":, "lower":, "upper":, "limit":, "verdict":}]}, values null where there is none.
  void write_json(const std::filesystem::path& file) const;

 private:
  struct Figure {
    std::string name, verdict;
    double value, limit;
    Spread quartiles;
  };
  void add(Figure figure);

  std::vector<Figure> figures_;
};

// Wall-clock seconds of a task, and the run that takes them.
double seconds(const std::function<void()>& task);
Run timed(std::function<void()> task);

// A program beside this one ("fovea"), and a folder of ours there for what measurements write.
std::filesystem::path program(const std::string& name);
std::filesystem::path scratch_folder();

// What `fovea_bench --compile THREADS` prints: how long ResNet-50 takes to compile and to run once, which lays its weights out, in a
// process that has done nothing else.
double compile_seconds(int threads);

// The groups.
void attention(Report& report);
void batch(Report& report);
void camera(Report& report);
void compile(Report& report);
void detect(Report& report);
void highlight(Report& report);
void new_size(Report& report);
void onnx(Report& report);
void plan(Report& report);
void runtime(Report& report);
void train_networks(Report& report);
void train_step(Report& report);

}  // namespace fovea::bench
