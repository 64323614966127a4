// The table of commands. A command is one file: it declares its options and gives the function that runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>

#include "pipeline/batch.hpp"

namespace fovea {

using RunCommand = std::function<int()>;  // gives the exit code; an Error becomes a message and kExitUsage

struct Command {
  const char* name;
  const char* summary;
  RunCommand (*declare)(CLI::App& options);
};

RunCommand declare_upscale(CLI::App& options);

inline constexpr Command kCommands[] = {
    {"upscale", "Make images larger with a super-resolution network", declare_upscale},
};

}  // namespace fovea
