#include <fmt/format.h>

#include <map>

#include "modules/io/files.hpp"
#include "pipeline/explain_summary.hpp"
#include "pipeline/sources/pages.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const fs::path& file) {
  const auto bytes = read_file(file);
  return Json::parse(bytes.begin(), bytes.end());
}

std::vector<const Record*> done_in(const Ledger& ledger) {
  std::vector<const Record*> done;
  for (const auto& [key, record] : ledger.records())
    if (record.state == Record::State::done) done.push_back(&record);
  return done;
}

// Boxes of one image, in its own pixels: those of the explained class where the file has it, else all that are strong.
std::vector<explain::Box> boxes_of(const Json& file, const std::string& image, const std::string& target, const Json& size) {
  std::vector<explain::Box> named, all;
  if (!file["images"].contains(image)) return {};
  const bool scaled = file.contains("image_size");
  const double fx = scaled ? size["width"].get<double>() / file["image_size"][0].get<double>() : 1,
               fy = scaled ? size["height"].get<double>() / file["image_size"][1].get<double>() : 1;
  for (const Json& b : file["images"][image]) {
    if (!b.value("strong", true)) continue;
    const auto v = b["box"].get<std::vector<double>>();
    check(v.size() == 4, "--boxes: expected x0 y0 x1 y1 for ", image, ", got ", v.size(), " numbers");
    all.push_back({v[0] * fx, v[1] * fy, v[2] * fx, v[3] * fy});
    if (b["class"].get<std::string>() == target) named.push_back(all.back());
  }
  return named.empty() ? all : named;
}

struct Scores {
  explain::Mean insertion, deletion, pointing;
};

Json to_json(const Scores& s) {
  Json j;
  if (s.insertion.count() > 0) j["insertion_auc"] = s.insertion.mean(), j["deletion_auc"] = s.deletion.mean();
  if (s.pointing.count() > 0) j["pointing_game"] = s.pointing.mean();
  j["images"] = std::max(s.insertion.count(), s.pointing.count());
  return j;
}

}  // namespace

std::string write_statistics(const fs::path& out, const Ledger& ledger, const Explainer& explainer) {
  explain::Statistics statistics;
  for (const Record* record : done_in(ledger)) explainer.add_statistics(read_part(record->input, record->part), statistics);
  const std::pair<const char*, std::string> files[] = {
      {"statistics.csv", statistics.csv()},
      {"statistics.json", statistics.json({{"model", explainer.model().name()}})},
      {"statistics.svg", explain::statistics_svg(statistics)}};
  for (const auto& [name, text] : files)
    write_output(out / name, [&, &text = text, &name = name] { write_file_atomically(out / name, text.data(), text.size()); });
  return files[2].second;
}

Json faithfulness_of(const fs::path& out, const Ledger& ledger, const std::string& boxes) {
  const Json file = boxes.empty() ? Json() : json_of(boxes);
  std::map<std::string, Scores> by_map;
  for (const Record* record : done_in(ledger)) {
    const Json facts = json_of(out / record->output);
    if (!facts.contains("maps")) continue;
    for (const Json& m : facts["maps"]) {
      Scores& s = by_map[m["name"].get<std::string>()];
      if (m.contains("faithfulness")) {
        s.insertion.add(m["faithfulness"]["insertion_auc"].get<double>());
        s.deletion.add(m["faithfulness"]["deletion_auc"].get<double>());
      }
      if (boxes.empty() || m["values"].is_null()) continue;
      const auto found =
          boxes_of(file, fs::path(record->input).filename().string(),
                   facts.contains("target") ? facts["target"]["class"].get<std::string>() : "", facts["geometry"]["image"]);
      if (found.empty()) continue;
      const double x = m["values"]["peak"]["x"].get<double>(), y = m["values"]["peak"]["y"].get<double>();
      s.pointing.add(explain::pointing_hit(explain::Place{x, y}, found) ? 1 : 0);
    }
  }
  Json all;
  for (const auto& [name, s] : by_map)
    if (s.insertion.count() > 0 || s.pointing.count() > 0) all[name] = to_json(s);
  return all;
}

}  // namespace fovea
