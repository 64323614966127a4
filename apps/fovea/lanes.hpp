// The options of every command that runs a model over files: how many processors, and what they are shared out for.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "pipeline/runner.hpp"

namespace fovea {

struct LaneArguments {
  std::string jobs, hint = "auto";
  int threads = 0;
  int budget() const;  // --threads, else all that this process may use
};

// --threads, --hint and --jobs.
void add_lane_options(CLI::App& command, LaneArguments& arguments);

// Error for a wrong --jobs.
Jobs lanes_for(const LaneArguments& arguments, std::size_t items);

}  // namespace fovea
