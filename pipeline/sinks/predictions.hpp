// Tables and a page of what a classifier said about everything in a ledger, earlier runs' files too.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/sinks/ledger.hpp"
#include "pipeline/stages/classify.hpp"

namespace fovea {

inline constexpr const char* kPredictionsCsv = "predictions.csv";
inline constexpr const char* kPredictionsJsonl = "predictions.jsonl";
inline constexpr const char* kPredictionsPage = "report.html";

struct Classified {
  const Record* record = nullptr;
  std::vector<Prediction> top;
};

// What the ledger's done files say, by input. A file that cannot be read any more is left out.
std::vector<Classified> read_predictions(const std::filesystem::path& folder, const Ledger& ledger);

// file, class_1, probability_1, class_2, ...; RFC 4180, UTF-8 names as they are.
std::string predictions_csv(const std::vector<Classified>& all);
std::string predictions_jsonl(const std::vector<Classified>& all);
// Thumbnails with the most probable classes, sorted by the first; `facts` and quarantines above and below. Pictures up to `shown`.
std::string predictions_page(const std::vector<Classified>& all, const Ledger& ledger,
                             const std::vector<std::pair<std::string, std::string>>& facts, std::size_t shown = 400);

// Writes the tables, and the page when asked; gives the files. EnvironmentError when one cannot be written.
std::vector<std::filesystem::path> write_predictions(const std::filesystem::path& folder, const Ledger& ledger, bool page,
                                                     const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace fovea
