// fovea_bench [GROUP...] [--compare] [--json FILE]: one line a figure, exit code 1 when any is short of its limit, 64 on wrong usage.
// Without a group all of them run, but for `onnx`: --compare adds it, because it may have to install ONNX Runtime.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/bench.hpp"

namespace {

using fovea::bench::Report;
using Group = void (*)(Report&);

const std::vector<std::pair<std::string, Group>> groups = {
    {"attention", fovea::bench::attention},
    {"train_step", fovea::bench::train_step},
    {"train_networks", fovea::bench::train_networks},
    {"plan", fovea::bench::plan},
    {"compile", fovea::bench::compile},
    {"runtime", fovea::bench::runtime},
    {"new_size", fovea::bench::new_size},
    {"batch", fovea::bench::batch},
    {"camera", fovea::bench::camera},
    {"detect", fovea::bench::detect},
    {"highlight", fovea::bench::highlight},
    {"onnx", fovea::bench::onnx},
};

struct Usage {
  std::vector<Group> chosen;
  bool compare = false;
  std::optional<std::string> json;
  std::string problem;  // empty: none
};

Usage read(const std::vector<std::string>& arguments) {
  Usage u;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& a = arguments[i];
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == a; });
    if (group != groups.end()) u.chosen.push_back(group->second);
    else if (a == "--compare") u.compare = true;
    else if (a == "--json" && i + 1 < arguments.size()) u.json = arguments[++i];
    else u.problem = a == "--json" ? "--json wants a file" : "no group " + a;
  }
  return u;
}

int complain(const std::string& problem) {
  std::fprintf(stderr, "fovea_bench: %s\nusage: fovea_bench [GROUP...] [--compare] [--json FILE]; groups:", problem.c_str());
  for (const auto& group : groups) std::fprintf(stderr, " %s", group.first.c_str());
  std::fprintf(stderr, "\n");
  return 64;
}

void measure(const Usage& usage, Report& report) {
  for (const Group run : usage.chosen) run(report);
  if (usage.chosen.empty())
    for (const auto& [name, run] : groups)
      if (run != fovea::bench::onnx) run(report);
  const bool named = std::find(usage.chosen.begin(), usage.chosen.end(), fovea::bench::onnx) != usage.chosen.end();
  if (usage.compare && !named) fovea::bench::onnx(report);
  else if (usage.chosen.empty()) report.skip("onnx", "--compare runs it, and installs ONNX Runtime by npm where it is not there");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--compile")  // for the group `compile`, which starts this program again
    return std::printf("%.6f\n", fovea::bench::compile_seconds(std::atoi(argv[2]))) > 0 ? 0 : 1;
  const Usage usage = read(arguments);
  if (!usage.problem.empty()) return complain(usage.problem);
  Report report;
  try {
    measure(usage, report);
    if (usage.json) report.write_json(*usage.json);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fovea_bench: %s\n", e.what());
    return 1;
  }
  return report.any_short() ? 1 : 0;
}
