// Tables of what a classifier said about everything in a ledger, earlier runs' files too.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/predictions.hpp"
#include "pipeline/sinks/ledger.hpp"

namespace fovea {

inline constexpr const char* kPredictionsCsv = "predictions.csv";
inline constexpr const char* kPredictionsJsonl = "predictions.jsonl";

struct Classified {
  const Record* record = nullptr;
  std::vector<Prediction> top;
};

// What stands in one answer's file. Error with the file's name.
std::vector<Prediction> read_answer(const std::filesystem::path& file);

// What the ledger's done files say, by input. A file that cannot be read any more is left out.
std::vector<Classified> read_predictions(const std::filesystem::path& folder, const Ledger& ledger);

// file, class_1, probability_1, class_2, ...; RFC 4180, UTF-8 names as they are.
std::string predictions_csv(const std::vector<Classified>& all);
std::string predictions_jsonl(const std::vector<Classified>& all);

// Writes the tables; gives the files. EnvironmentError when one cannot be written.
std::vector<std::filesystem::path> write_predictions(const std::filesystem::path& folder, const Ledger& ledger);

}  // namespace fovea
