#include "pipeline/tasks/classify/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/csv.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
std::vector<Prediction> read_answer(const fs::path& file) { return predictions_from(read_json(file).at("top")); }

std::vector<Classified> read_predictions(const fs::path& folder, const Ledger& ledger) {
  std::vector<Classified> all;
  for (const auto& [key, record] : ledger.records()) {
    if (record.state != Record::State::done) continue;
    try {
      all.push_back({&record, read_answer(folder / record.output)});
    } catch (const Error&) { continue; }  // removed or damaged since: done again next time
  }
  return all;
}

std::string predictions_csv(const std::vector<Classified>& all) {
  std::size_t top = 0;
  for (const Classified& c : all) top = std::max(top, c.top.size());
  std::string text = "file";
  for (std::size_t i = 1; i <= top; ++i) text += fmt::format(",class_{0},probability_{0}", i);
  text += "\r\n";
  for (const Classified& c : all) {
    text += csv_field(c.record->input);
    for (const Prediction& p : c.top) text += fmt::format(",{},{:.6f}", csv_field(p.name), p.probability);
    text += "\r\n";
  }
  return text;
}

std::string predictions_jsonl(const std::vector<Classified>& all) {
  std::string text;
  for (const Classified& c : all) {
    nlohmann::ordered_json json;
    put_name(json, "file", c.record->input);
    json["top"] = to_json(c.top);
    text += dump(json) + "\n";
  }
  return text;
}

std::vector<fs::path> write_predictions(const fs::path& folder, const Ledger& ledger) {
  const std::vector<Classified> all = read_predictions(folder, ledger);
  const std::pair<fs::path, std::string> files[] = {{folder / kPredictionsCsv, predictions_csv(all)},
                                                    {folder / kPredictionsJsonl, predictions_jsonl(all)}};
  std::vector<fs::path> written;
  for (const auto& [file, text] : files) {
    write_output(file, [&, &file = file, &text = text] { write_file_atomically(file, text.data(), text.size()); });
    written.push_back(file);
  }
  return written;
}

}  // namespace fovea
