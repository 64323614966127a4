// fovea plan MODEL --size HxW: how a network runs once it is compiled, step by step, with what each step costs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/any_model.hpp"
#include "apps/fovea/commands.hpp"
#include "apps/fovea/median.hpp"
#include "apps/fovea/plan_table.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {
namespace {

constexpr const char* kExplained =
    R"(Each line is one step: its time, its share of the whole, GFLOP/s (a multiply-add counts two), MB that it reads and writes with its weights,
GB/s of them, the kernel that runs it, the shape of its output, the layer, and the operations fused into it. Steps are grouped by module.
Below: the same by kernel, the total, and the part of the blocks in slots. Times are wall clock.

Examples:
  fovea plan photo-cbam
  fovea plan recipe.yaml --size 480x640 --keep '**.spatial' --check
  fovea plan recipe.yaml --trace plan.json        (open it at ui.perfetto.dev))";

struct Settings {
  std::string model, size, keep, trace, precision = "f32";
  int batch = 1, threads = 0, runs = 9;
  bool check = false;
};

Shape input_of(const Settings& s, const Model& model) {
  const Shape usual = usual_input(model);
  std::int64_t height = usual[2], width = usual[3];
  char end = 0;
  if (!s.size.empty() && std::sscanf(s.size.c_str(), "%ldx%ld%c", &height, &width, &end) != 2)
    throw UsageError(fmt::format("--size: expected HxW, as in 224x224, got '{}'", s.size));
  return {s.batch, model.channels(), height, width};
}

// Median seconds of each step.
std::vector<double> measure(const plan::Plan& plan, const Tensor& x, int runs) {
  std::vector<std::vector<double>> times(plan.steps().size());
  std::vector<double> steps;
  plan.run({x});
  for (int r = 0; r < runs; ++r) {
    plan.run({x}, &steps);
    for (std::size_t i = 0; i < steps.size(); ++i) times[i].push_back(steps[i]);
  }
  std::vector<double> out;
  for (auto& t : times) out.push_back(median(std::move(t)));
  return out;
}

std::string fused(const plan::Plan::StepInfo& info) { return fmt::format("{}", fmt::join(info.ops, " + ")); }

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
  const std::string text = nlohmann::json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump(1) + "\n";
  write_file_atomically(file, text.data(), text.size());
}

// Values by name: the outputs, then the taps.
using Values = std::vector<std::pair<std::string, Tensor>>;

Values planned(const Model& model, const plan::Plan& plan, const Tensor& x) {
  auto r = plan.run({x});
  Values out;
  for (std::size_t i = 0; i < r.outputs.size(); ++i) out.emplace_back(model.info().outputs[i].name, r.outputs[i]);
  for (auto& t : r.taps) out.emplace_back(t.name, t.value);
  return out;
}

Values op_by_op(const Model& model, const Tensor& x, const std::string& keep, int threads, DType precision) {
  NoGrad no_grad;
  const ThreadScope thread_scope(threads);
  const Precision compute(precision);
  TapScope taps(keep);
  Values out;
  for (const auto& [name, v] : model.outputs(Var(x))) out.emplace_back(name, v.value());
  for (const auto& [name, v] : taps.kept) out.emplace_back(name, v.value());
  return out;
}

void print_differences(const Values& got, const Values& want, const std::string& what) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto a = got[i].second.values(), b = want.at(i).second.values();
    double difference = 0, size = 0;
    for (std::size_t k = 0; k < a.size(); ++k)
      difference = std::max(difference, std::abs(a[k] - b[k])), size = std::max(size, std::abs(b[k]));
    std::cout << fmt::format("{}: largest difference to {} {:.3g}, {:.2g} % of the largest value {:.3g}\n", got[i].first, what,
                             difference, size > 0 ? 100 * difference / size : 0.0, size);
  }
}

// The largest differences, of the output and of every tap: to the network as it runs op by op in the same precision, and of bf16 to f32.
void compare(const Model& model, const plan::Plan& plan, const Tensor& x, const std::string& keep, DType precision) {
  const Values got = planned(model, plan, x);
  print_differences(got, op_by_op(model, x, keep, plan.threads(), precision), fmt::format("{} op by op", name_of(precision)));
  if (precision == DType::f32) return;
  print_differences(got, planned(model, model.compile(x.shape(), {.keep = keep, .threads = plan.threads()}), x), "f32");
}

int run_plan(const Settings& s) {
  const Model model = any_model(s.model);
  const Shape input = input_of(s, model);
  std::string warning;
  const DType precision = parse_precision(s.precision, &warning);
  if (!warning.empty()) std::cerr << "fovea: " << warning << '\n';
  const plan::Plan plan = model.compile(input, {.keep = s.keep, .precision = precision, .threads = s.threads});
  Tensor x = Tensor::empty(input);
  Random random(1);
  random.fill_uniform(x, 0, 1);
  x = x.contiguous(Layout::channels_last);
  const auto seconds = measure(plan, x, s.runs);
  std::cout << fmt::format("{} at {}, {}, {} thread{}; each figure the median of {} runs\n\n", model.name(), input.str(),
                           name_of(precision), plan.threads(), plan.threads() == 1 ? "" : "s", s.runs);
  std::cout << plan_table(model, plan, seconds);
  if (s.check) compare(model, plan, x, s.keep, precision);
  if (!s.trace.empty()) write_trace(plan, seconds, s.trace);
  return kExitDone;
}

}  // namespace

Command plan_command() {
  auto s = std::make_shared<Settings>();
  Command c{"plan", "How a network runs once it is compiled: its steps, what is fused, what each costs", kExplained};
  c.tunes = true;
  c.options.word("model", s->model, "Recipe, .safetensors file or name in the zoo");
  c.options.require();
  c.options.word("--size", s->size, "HxW of the picture; the recipe's size unless given");
  c.options.word("--keep", s->keep, "Glob of attention maps to keep as outputs, as in '**.spatial'");
  c.options.integer("--batch", s->batch, 1, 4096, "Pictures at a time");
  c.options.integer("--threads", s->threads, 0, 1024, "Threads of one run; 0: all");
  c.options.integer("--runs", s->runs, 1, 10000, "Timed runs; each figure is their median");
  c.options.word("--precision", s->precision, "f32, bf16, or auto (bf16 where the processor has AMX)", {"f32", "bf16", "auto"});
  c.options.flag("--check", s->check, "Print the largest difference to the network as it runs op by op, and of bf16 to f32");
  c.options.output_file("--trace", s->trace, "Write the steps and their times for Chrome's or Perfetto's viewer");
  c.run = [s] { return run_plan(*s); };
  return c;
}

}  // namespace fovea
