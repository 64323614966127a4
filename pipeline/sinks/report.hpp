// One self-contained HTML page about a run's inputs, what former runs did of them too: an article a file as the operation writes it, times,
// quarantines, what was skipped, what else the folder holds.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/operation.hpp"
#include "pipeline/sinks/ledger.hpp"

namespace fovea {

inline constexpr const char* kReportName = "report.html";
inline constexpr std::size_t kReportRows = 2000;  // files listed; all are counted

struct ReportFacts {
  nlohmann::json settings;
  std::vector<std::pair<std::string, std::string>> model;
  FileRunResult result;
  int threads = 1;
  ReportParts parts;
  // What is shown of one file, an <article>. Called by several threads.
  std::function<std::string(const std::filesystem::path& folder, const Record& record)> article;
  bool nameless = false;  // the folder's own path is not told
};

// What of the folder tables and pages leave out, in a sentence; empty when nothing.
std::string others_text(const Ledger::Others& others);

// Articles are made from the inputs and outputs themselves, so a resumed run reports earlier runs too, and memory does not grow
// with the folder. Gives the file. EnvironmentError when it cannot be written.
std::filesystem::path write_report(const std::filesystem::path& folder, const Ledger& ledger, const ReportFacts& facts);

}  // namespace fovea
