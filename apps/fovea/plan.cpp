// fovea plan MODEL --size HxW: how a network runs once it is compiled, step by step, with what each step costs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/any_model.hpp"
#include "apps/fovea/commands.hpp"
#include "apps/fovea/median.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/stages/classify.hpp"

namespace fovea {
namespace {

struct Settings {
  std::string model, size, keep, trace;
  int batch = 1, threads = 0, runs = 9;
  bool check = false;
};

Shape input_of(const Settings& s, const Model& model) {
  const Preprocess p = preprocess_of(model);
  std::int64_t height = p.height, width = p.width;
  char end = 0;
  if (!s.size.empty() && std::sscanf(s.size.c_str(), "%ldx%ld%c", &height, &width, &end) != 2)
    throw UsageError(fmt::format("--size: expected HxW, as in 224x224, got '{}'", s.size));
  return {s.batch, 3, height, width};
}

// Median seconds of each step, and their sum as the last value.
std::vector<double> measure(const plan::Plan& plan, const Tensor& x, int runs) {
  std::vector<std::vector<double>> times(plan.steps().size());
  std::vector<double> steps;
  plan.run({x});
  for (int r = 0; r < runs; ++r) {
    plan.run({x}, &steps);
    for (std::size_t i = 0; i < steps.size(); ++i) times[i].push_back(steps[i]);
  }
  std::vector<double> out;
  double total = 0;
  for (auto& t : times) out.push_back(median(std::move(t))), total += out.back();
  out.push_back(total);
  return out;
}

std::string fused(const plan::Plan::StepInfo& info) { return fmt::format("{}", fmt::join(info.ops, " + ")); }

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

void print(const plan::Plan& plan, const std::vector<double>& seconds) {
  std::cout << fmt::format("{:>9} {:>6} {:>9} {:>8}  {:<24} {:<14} {}\n", "ms", "share", "GFLOP/s", "MB", "kernel", "output",
                           "module: what is fused into the step");
  std::int64_t work = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    const auto& info = plan.steps()[i];
    work += info.multiply_adds, bytes += info.bytes;
    const double rate = 2e-9 * static_cast<double>(info.multiply_adds) / seconds[i];
    std::cout << fmt::format("{:>9.3f} {:>5.1f}% {:>9} {:>8.2f}  {:<24} {:<14} {}: {}\n", seconds[i] * 1e3,
                             100 * seconds[i] / seconds.back(), info.multiply_adds ? fmt::format("{:.1f}", rate) : "-",
                             megabytes(info.bytes), info.how, info.output.str(), info.path, fused(info));
  }
  const auto m = plan.memory();
  std::cout << fmt::format("{:>9.3f} {:>6} {:>9.1f} {:>8.2f}  {} steps on {} thread{}\n", seconds.back() * 1e3, "total",
                           2e-9 * static_cast<double>(work) / seconds.back(), megabytes(bytes), plan.steps().size(),
                           plan.threads(), plan.threads() == 1 ? "" : "s");
  std::cout << fmt::format("arena {:.1f} MB, {:.1f} MB with a buffer for every value; weights as the steps want them {:.1f} MB\n",
                           megabytes(m.arena), megabytes(m.without_sharing), megabytes(m.constants));
  if (!plan.lowered()) std::cout << "steps of kernel `op` run as they do outside a plan and allocate as they run\n";
}

// Chrome's and Perfetto's format: one complete event a step, times in microseconds.
void write_trace(const plan::Plan& plan, const std::vector<double>& seconds, const std::string& file) {
  nlohmann::json events = nlohmann::json::array();
  double at = 0;
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    const auto& info = plan.steps()[i];
    events.push_back({{"name", fused(info)},
                      {"cat", info.how},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"ts", at * 1e6},
                      {"dur", seconds[i] * 1e6},
                      {"args", {{"module", info.path}, {"output", info.output.str()}, {"bytes", info.bytes}}}});
    at += seconds[i];
  }
  std::ofstream out(file);
  out << nlohmann::json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump(1) << '\n';
  check(out.good(), "plan: cannot write ", file);
}

// The largest difference to the network as it runs op by op, of the output and of every tap.
void compare(const Model& model, const plan::Plan& plan, const Tensor& x, const std::string& keep) {
  NoGrad no_grad;
  const Lane lane(plan.threads());
  TapScope taps(keep);
  const Tensor want = model.forward(Var(x)).value();
  const auto got = plan.run({x});
  const auto line = [](const std::string& name, const Tensor& a, const Tensor& b) {
    const auto va = a.values(), vb = b.values();
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < va.size(); ++i)
      difference = std::max(difference, std::abs(va[i] - vb[i])), size = std::max(size, std::abs(vb[i]));
    std::cout << fmt::format("{}: largest difference to eager {:.3g}, largest value {:.3g}\n", name, difference, size);
  };
  line("output", got.outputs[0], want);
  for (std::size_t i = 0; i < got.taps.size(); ++i) line(got.taps[i].name, got.taps[i].value, taps.kept.at(i).second.value());
}

int run_plan(const Settings& s) {
  const Model model = any_model(s.model);
  const Shape input = input_of(s, model);
  const plan::Plan plan = model.compile(input, {.keep = s.keep, .threads = s.threads});
  Tensor x = Tensor::empty(input);
  Random random(1);
  random.fill_uniform(x, 0, 1);
  x = x.contiguous(Layout::channels_last);
  const auto seconds = measure(plan, x, s.runs);
  std::cout << fmt::format("{} at {}, f32\n", model.name(), input.str());
  print(plan, seconds);
  if (s.check) compare(model, plan, x, s.keep);
  if (!s.trace.empty()) write_trace(plan, seconds, s.trace);
  return 0;
}

}  // namespace

void add_plan(CLI::App& app, Run& run) {
  CLI::App& command =
      *app.add_subcommand("plan", "How a network runs once it is compiled: its steps, what is fused, what each costs");
  auto s = std::make_shared<Settings>();
  command.add_option("model", s->model, "Recipe, .safetensors file or name in the zoo")->required();
  command.add_option("--size", s->size, "HxW of the picture; the recipe's size unless given");
  command.add_option("--keep", s->keep, "Glob of attention maps to keep as outputs, as in '**.spatial'");
  command.add_option("--batch", s->batch, "Pictures at a time")->check(CLI::Range(1, 4096));
  command.add_option("--threads", s->threads, "Threads of one run; all unless given")->check(CLI::NonNegativeNumber);
  command.add_option("--runs", s->runs, "Timed runs; each figure is their median")->check(CLI::Range(1, 10000));
  command.add_flag("--check", s->check, "Print the largest difference to the network as it runs op by op");
  command.add_option("--trace", s->trace, "Write the steps and their times for Chrome's or Perfetto's viewer");
  command.callback([s, &run] { run = [s] { return run_plan(*s); }; });
}

}  // namespace fovea
