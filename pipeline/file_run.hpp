// A run over many files: what is left is put through the stages, every file ends in the ledger as done, quarantined or left.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/exit_codes.hpp"
#include "pipeline/runner.hpp"
#include "pipeline/sinks/ledger.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sources/work_list.hpp"

namespace fovea {

struct FileRunResult {
  std::size_t total = 0;
  std::size_t done = 0;         // in this run
  std::size_t up_to_date = 0;   // in former runs
  std::size_t quarantined = 0;  // in this run or a former one
  std::size_t left = 0;         // not reached
  std::string stopped;          // why files are left; empty when none are
  std::string warning;  // the ledger had damaged lines, or could not be put in order (disk full); it is complete all the same
  double wall = 0;      // seconds
  std::map<std::string, double> cpu;  // seconds by stage
  int exit_code() const { return left > 0 ? kExitTryAgain : quarantined > 0 ? kExitQuarantined : kExitDone; }
};

// Readers begin their messages with the file's name; who prints it has said it already.
std::string without_name(const std::string& reason, const std::string& name);

// The frame that an input begins as.
Frame frame_of(const WorkItem& item);

// `settings` is all that shapes an output: when it changes, files are done again. Ctrl-C and a full disk end the run in good
// order. EnvironmentError when not even the ledger could be begun. `group` inputs go through the stages together.
FileRunResult run_files(WorkList& work, Ledger& ledger, const nlohmann::json& settings, std::vector<StageSpec> stages,
                        Progress& progress, std::size_t group = 1);

}  // namespace fovea
