// Runs an operation over files: what `fovea <verb> INPUT... -o OUT` does once the verb is known.
//
//   auto verb = task_of(model).operation();
//   Process process(*verb, {.inputs = {"photos"}, .out = "answers", .report = true}, model);
//   const FileRunResult result = process.run(*make_progress(ProgressKind::automatic));
#pragma once

#include <iosfwd>
#include <optional>

#include "pipeline/operation.hpp"
#include "pipeline/sources/work_list.hpp"

namespace fovea {

struct ProcessOptions {
  std::vector<std::string> inputs;  // files, folders, patterns; "-" reads `list`
  std::filesystem::path out = {};   // empty: answers go to standard output
  std::string precision = "f32", hint = "auto", jobs = {};
  int threads = 0;  // processors; 0: all that this process may use
  bool report = false;
  bool all_pages = false;  // of a file that holds several pictures each one; else the first
  std::istream* list = nullptr;

  int budget() const;  // of processors
};

class Process {
 public:
  // All that can be found wrong before any work: UsageError. The operation's options are set; `model` is the one that was asked for, or the
  // operation's default.
  Process(Operation& operation, ProcessOptions options, Model model);

  // Into the folder: lock, ledger, stages, tables, report. Progress hears of every file. FolderBusy, EnvironmentError.
  FileRunResult run(Progress& progress);
  // Without a folder: each answer to `out`, as text or as one JSON object a line, in the order of the inputs; refused inputs to `refused`, a
  // line each. Gives the exit code.
  int print_answers(std::ostream& out, std::ostream& refused, bool json);

  const std::string& warning() const { return warning_; }                     // about the precision; empty when there is none
  const std::vector<std::filesystem::path>& files() const { return files_; }  // tables and report that run() wrote
  DType precision() const { return precision_; }

 private:
  nlohmann::json settings() const;
  InputMapping mapping() const;
  void write_report_page(const Ledger& ledger, const FileRunResult& result);

  Operation& operation_;
  ProcessOptions options_;
  DType precision_ = DType::f32;
  std::string warning_;
  std::optional<WorkList> work_;
  Jobs jobs_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace fovea
