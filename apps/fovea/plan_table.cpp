#include "apps/fovea/plan_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

namespace fovea {
namespace {

using StepInfo = plan::Plan::StepInfo;

struct Cost {
  double seconds = 0;
  std::int64_t multiply_adds = 0;
  std::size_t bytes = 0, steps = 0;

  void add(const StepInfo& info, double time) {
    seconds += time, multiply_adds += info.multiply_adds, bytes += info.bytes, ++steps;
  }
  // ms, share of the whole, GFLOP/s, MB read and written, GB/s
  std::string str(double whole) const {
    const auto rate = [&](double amount) { return amount > 0 && seconds > 0 ? fmt::format("{:.1f}", amount / seconds) : "-"; };
    const double gflop = 2e-9 * static_cast<double>(multiply_adds), megabytes = 1e-6 * static_cast<double>(bytes);
    return fmt::format("{:>9.3f} {:>5.1f}% {:>8} {:>7.2f} {:>6}", seconds * 1e3, whole > 0 ? 100 * seconds / whole : 0,
                       rate(gflop), megabytes, rate(megabytes / 1e3));
  }
};

// The module that a step is listed under: its path as far as the first number, or without its last name.
// "backbone.layer1.0.pre_add.cbam" gives "backbone.layer1.0", "backbone.conv1" gives "backbone".
std::string group_of(const std::string& path) {
  std::size_t begin = 0, end = path.find('.');
  for (; end != std::string::npos; begin = end + 1, end = path.find('.', begin))
    if (begin > 0 && path.find_first_not_of("0123456789", begin) >= end) return path.substr(0, end);
  return begin > 0 ? path.substr(0, begin - 1) : path;
}

std::string name_in(const std::string& group, const std::string& path) {
  return path.size() > group.size() ? path.substr(group.size() + 1) + ": " : "";
}

// "1x64x112x112", with the type where it is not f32.
std::string given_by(const StepInfo& info) {
  return info.output.str() + (info.type == DType::f32 ? "" : fmt::format(" {}", name_of(info.type)));
}

std::string steps_by_module(const plan::Plan& plan, const std::vector<double>& seconds, double whole) {
  const auto& steps = plan.steps();
  std::size_t kernel = 6, output = 6;
  for (const StepInfo& s : steps) kernel = std::max(kernel, s.how.size()), output = std::max(output, given_by(s).size());
  std::string out = fmt::format("{:>9} {:>6} {:>8} {:>7} {:>6}  {:<{}}  {:<{}}  {}\n", "ms", "share", "GFLOP/s", "MB", "GB/s",
                                "kernel", kernel, "output", output, "layer: what is fused into the step");
  for (std::size_t i = 0; i < steps.size();) {
    const std::string group = group_of(steps[i].path);
    std::string lines;
    Cost sum;
    for (; i < steps.size() && (group_of(steps[i].path) == group || steps[i].path == group); ++i) {
      Cost one;
      one.add(steps[i], seconds[i]), sum.add(steps[i], seconds[i]);
      lines += fmt::format("{}  {:<{}}  {:<{}}  {}{}\n", one.str(whole), steps[i].how, kernel, given_by(steps[i]), output,
                           name_in(group, steps[i].path), fmt::join(steps[i].ops, " + "));
    }
    out += fmt::format("{}: {:.3f} ms, {:.1f}%\n{}", group.empty() ? "network" : group, sum.seconds * 1e3,
                       whole > 0 ? 100 * sum.seconds / whole : 0, lines);
  }
  return out;
}

// What a kernel does; names are compared up to the length of the entry.
const char* meaning(const std::string& kernel) {
  constexpr std::pair<std::string_view, const char*> kKernels[] = {
      {"fused elementwise", "Fovea: elementwise operations on maps that are read and written once"},
      {"convert", "Fovea: conversion between f32 and bf16"},
      {"global reduce", "Fovea: mean and maximum over all positions, the map read once"},
      {"channel reduce", "Fovea: mean and maximum over the channels, with the elementwise operations before it"},
      {"axis reduce", "Fovea: reductions of rows, columns and channels, the map read once"},
      {"pool2d", "Fovea: pooling over windows"},
      {"winograd", "Fovea: Winograd convolution of this output tile; GFLOP/s of the direct algorithm"},
      {"gemv", "Fovea: matrix-vector products, a layer for few positions or one output"},
      {"single-output conv", "Fovea: convolution of few channels to one"},
      {"strided copy", "Fovea: copy to another layout"},
      {"eager op", "as outside a plan: it allocates memory while it runs"}};
  for (const auto& [name, text] : kKernels)
    if (kernel.rfind(name, 0) == 0) return text;
  return kernel.find(':') != std::string::npos ? "oneDNN" : "Fovea: the kernel of this operation";
}

std::string costs_by_kernel(const plan::Plan& plan, const std::vector<double>& seconds, double whole) {
  std::map<std::string, Cost> kinds;
  for (std::size_t i = 0; i < seconds.size(); ++i) kinds[plan.steps()[i].how].add(plan.steps()[i], seconds[i]);
  std::vector<std::pair<std::string, Cost>> sorted(kinds.begin(), kinds.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  std::size_t widest = 0;
  for (const auto& [name, cost] : sorted) widest = std::max(widest, name.size());
  std::string out;
  for (const auto& [name, cost] : sorted)
    out += fmt::format("{}  {:<{}}  {:>4} steps  {}\n", cost.str(whole), name, widest, cost.steps, meaning(name));
  return out;
}

// Steps of blocks that a recipe put into slots; what else of the network was fused into them counts with them.
Cost cost_of_blocks(const Model& model, const plan::Plan& plan, const std::vector<double>& seconds) {
  Cost cost;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const StepInfo& info = plan.steps()[i];
    const bool inside = std::any_of(model.slots().begin(), model.slots().end(), [&](const auto& slot) {
      return !slot.blocks.empty() && info.path.rfind(slot.path + ".", 0) == 0;
    });
    if (inside) cost.add(info, seconds[i]);
  }
  return cost;
}

}  // namespace

std::string plan_table(const Model& model, const plan::Plan& plan, const std::vector<double>& seconds) {
  const auto megabytes = [](std::size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  const double whole = std::accumulate(seconds.begin(), seconds.end(), 0.0);
  std::string out = steps_by_module(plan, seconds, whole) + "\nby kernel\n" + costs_by_kernel(plan, seconds, whole) + "\n";
  Cost all;
  for (std::size_t i = 0; i < seconds.size(); ++i) all.add(plan.steps()[i], seconds[i]);
  out += fmt::format("{}  all {} steps, {:.1f} M multiply-adds\n", all.str(whole), all.steps,
                     static_cast<double>(all.multiply_adds) / 1e6);
  if (const Cost blocks = cost_of_blocks(model, plan, seconds); blocks.steps > 0)
    out += fmt::format("{}  of these the {} steps of blocks in slots, and what is fused into them\n", blocks.str(whole),
                       blocks.steps);
  const auto m = plan.memory();
  out += fmt::format(
      "memory: one arena of {:.1f} MB for all values, where a buffer for each would take {:.1f} MB; {:.1f} MB of weights "
      "folded and laid out for the steps\n",
      megabytes(m.arena), megabytes(m.without_sharing), megabytes(m.constants));
  return out;
}

}  // namespace fovea
