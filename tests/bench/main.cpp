// fovea_bench [GROUP...] [--json FILE]: one line a figure, exit code 1 when any is short of its limit, 64 on wrong usage.
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/bench.hpp"

namespace {

using fovea::bench::Report;

const std::vector<std::pair<std::string, void (*)(Report&)>> groups = {
    {"attention", fovea::bench::attention},
    {"train_step", fovea::bench::train_step},
    {"train_networks", fovea::bench::train_networks},
    {"plan", fovea::bench::plan},
    {"batch", fovea::bench::batch},
};

int usage(const std::string& problem) {
  std::fprintf(stderr, "fovea_bench: %s\nusage: fovea_bench [GROUP...] [--json FILE]; groups:", problem.c_str());
  for (const auto& group : groups) std::fprintf(stderr, " %s", group.first.c_str());
  std::fprintf(stderr, "\n");
  return 64;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<void (*)(Report&)> chosen;
  std::optional<std::string> json;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) {
      if (++i == argc) return usage("--json wants a file");
      json = argv[i];
      continue;
    }
    const std::size_t before = chosen.size();
    for (const auto& [name, run] : groups)
      if (name == argv[i]) chosen.push_back(run);
    if (chosen.size() == before) return usage(std::string("no group ") + argv[i]);
  }
  if (chosen.empty())
    for (const auto& group : groups) chosen.push_back(group.second);

  Report report;
  try {
    for (auto* run : chosen) run(report);
    if (json) report.write_json(*json);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fovea_bench: %s\n", e.what());
    return 1;
  }
  return report.any_short() ? 1 : 0;
}
