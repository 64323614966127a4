#include <fmt/format.h>

#include <map>

#include "modules/io/files.hpp"
#include "pipeline/explain_summary.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

std::vector<const Record*> done_in(const Ledger& ledger) {
  std::vector<const Record*> done;
  for (const auto& [key, record] : ledger.records())
    if (record.state == Record::State::done) done.push_back(&record);
  return done;
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
  for (const Record* record : done_in(ledger)) explainer.add_statistics(read_image(record->input), statistics);
  const std::pair<const char*, std::string> files[] = {
      {"statistics.csv", statistics.csv()},
      {"statistics.json", statistics.json({{"model", explainer.model().name()}})},
      {"statistics.svg", explain::statistics_svg(statistics)}};
  for (const auto& [name, text] : files)
    write_output(out / name, [&, &text = text, &name = name] { write_file_atomically(out / name, text.data(), text.size()); });
  return files[2].second;
}

Json faithfulness_of(const fs::path& out, const Ledger& ledger, const Boxes& boxes) {
  std::map<std::string, Scores> by_map;
  for (const Record* record : done_in(ledger)) {
    ExplainedFacts facts;
    try {
      facts = read_explained(out / record->output);
    } catch (const Error&) { continue; }  // removed or damaged since: done again next time
    const auto found = boxes.of(fs::path(record->input).filename().string(), facts.target, facts.width, facts.height);
    for (const ExplainedMap& m : facts.maps) {
      Scores& s = by_map[m.name];
      if (m.faithfulness) s.insertion.add(m.faithfulness->first), s.deletion.add(m.faithfulness->second);
      if (m.peak && !found.empty()) s.pointing.add(explain::pointing_hit(*m.peak, found) ? 1 : 0);
    }
  }
  Json all;
  for (const auto& [name, s] : by_map)
    if (s.insertion.count() > 0 || s.pointing.count() > 0) all[name] = to_json(s);
  return all;
}

}  // namespace fovea
