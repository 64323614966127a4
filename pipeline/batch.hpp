// A run over many files: what is left is put through the stages, every file ends in the ledger as done, quarantined or left.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/runner.hpp"
#include "pipeline/sinks/ledger.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sources/plan.hpp"

namespace fovea {

// Exit codes of every command that runs over files.
inline constexpr int kExitDone = 0, kExitQuarantined = 3, kExitUsage = 64, kExitTryAgain = 75;

struct BatchResult {
  std::size_t total = 0;
  std::size_t done = 0;               // in this run
  std::size_t up_to_date = 0;         // in former runs
  std::size_t quarantined = 0;        // in this run or a former one
  std::size_t left = 0;               // not reached
  std::string stopped;                // why files are left; empty when none are
  std::string warning;                // the ledger could not be put in order (disk full); it is complete all the same
  double wall = 0;                    // seconds
  std::map<std::string, double> cpu;  // seconds by stage
  int exit_code() const { return left > 0 ? kExitTryAgain : quarantined > 0 ? kExitQuarantined : kExitDone; }
};

// `settings` is all that shapes an output: when it changes, files are done again. Ctrl-C and a full disk end the run in good
// order. EnvironmentError when not even the ledger could be begun.
BatchResult run_batch(Plan& plan, Ledger& ledger, const nlohmann::json& settings, std::vector<Step> steps, Progress& progress);

}  // namespace fovea
