// One self-contained HTML page about everything in a ledger: before and after, enlarged details, attention maps, times, quarantines.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/batch.hpp"
#include "pipeline/sinks/ledger.hpp"

namespace fovea {

inline constexpr const char* kReportName = "report.html";
inline constexpr std::size_t kReportPictures = 60;  // images shown; all are counted and listed up to kReportRows
inline constexpr std::size_t kReportRows = 2000;

struct ReportFacts {
  nlohmann::json settings;
  std::vector<std::pair<std::string, std::string>> model;
  BatchResult result;
  int threads = 1;
  std::string title = "Fovea upscale";
  // What is shown of one image, an <article>; empty: before and after of an upscaled one. Called by several threads.
  std::function<std::string(const std::filesystem::path& folder, const Record& record)> entry = {};
  std::string extra = {};  // HTML behind the settings
};

// Pictures are made from the inputs and outputs themselves, so a resumed run reports earlier runs too, and memory does not grow
// with the folder. Gives the file. EnvironmentError when it cannot be written.
std::filesystem::path write_report(const std::filesystem::path& folder, const Ledger& ledger, const ReportFacts& facts);

}  // namespace fovea
