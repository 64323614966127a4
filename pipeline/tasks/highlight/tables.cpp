#include "pipeline/tasks/highlight/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/csv.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/highlight/stages.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kHeader =
    "file,picture,class,region,area_px,area_mm2,diameter_px,diameter_mm,length_px,length_mm,intensity,confidence,uncertainty,"
    "unsure\n";

constexpr const char* kScoresHeader = "file,picture,class,score,deviations,regions\n";

// Nothing where the answer does not say it.
std::string number(const JsonValue& json, const char* key) {
  return json.has(key) ? fmt::format("{:.6g}", json.at(key).number()) : "";
}

void add_lines(std::string& text, const JsonValue& answer, const std::string& file) {
  std::size_t at = 0;
  for (const JsonValue& picture : answer.at("pictures").items()) {
    ++at;
    for (const JsonValue& c : picture.at("classes").items())
      for (const JsonValue& r : c.at("regions").items())
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_quoted(file), at, csv_field(c.at("class").text()),
                            number(r, "number"), number(r, "area_px"), number(r, "area_mm2"), number(r, "diameter_px"),
                            number(r, "diameter_mm"), number(r, "length_px"), number(r, "length_mm"),
                            number(r.at("intensity"), "mean"), number(r, "confidence"), number(r, "uncertainty"),
                            r.has("unsure") ? "yes" : "");
  }
}

void add_scores(std::string& text, const JsonValue& answer, const std::string& file) {
  std::size_t at = 0;
  for (const JsonValue& picture : answer.at("pictures").items()) {
    ++at;
    for (const JsonValue& c : picture.at("classes").items())
      if (c.has("score"))
        text += fmt::format("{},{},{},{},{},{}\n", csv_quoted(file), at, csv_field(c.at("class").text()), number(c, "score"),
                            number(c, "deviations"), c.at("regions").items().size());
  }
}

}  // namespace

std::vector<fs::path> write_regions(const fs::path& folder, const Ledger& ledger) {
  std::string regions = kHeader, scores;
  for (const Record* record : ledger.present(Record::State::done)) try {
      const JsonValue answer = read_json(folder / record->output);
      const std::string file = fs::path(record->output).replace_extension().string();
      add_lines(regions, answer, file);
      add_scores(scores, answer, file);
    } catch (const Error&) {}  // an answer that cannot be read any more is made again by the next run
  std::vector<fs::path> written;
  const auto write = [&](const char* name, const std::string& text) {
    written.push_back(folder / name);
    write_output(written.back(), [&] { write_file_atomically(written.back(), text); });
  };
  write(kRegionsCsv, regions);
  if (!scores.empty()) write(kScoresCsv, kScoresHeader + scores);
  return written;
}

std::size_t count_withheld(const Ledger& ledger) {
  const auto done = ledger.present(Record::State::done);
  return static_cast<std::size_t>(std::count_if(done.begin(), done.end(), [](const Record* record) {
    return std::any_of(record->notes.begin(), record->notes.end(), [](const std::string& n) { return n.starts_with(kWithheld); });
  }));
}

std::vector<std::pair<std::string, std::string>> class_totals(const fs::path& answer) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const JsonValue& c : read_json(answer).at("classes").items()) {
    std::string text = fmt::format("{:.0f} regions", c.at("regions").number());
    if (c.has("volume_mm3")) text += fmt::format(", {:.4g} ml", c.at("volume_mm3").number() / 1000);
    else if (c.has("area_mm2")) text += fmt::format(", {:.4g} mm²", c.at("area_mm2").number());
    else text += fmt::format(", {:.0f} px", c.at("pixels").number());
    if (c.has("score")) text += fmt::format(", score {:.3f}", c.at("score").number());
    if (c.has("confidence")) text += fmt::format(", mean probability {:.2f}", c.at("confidence").number());
    out.emplace_back(c.at("class").text(), text);
  }
  return out;
}

}  // namespace fovea
