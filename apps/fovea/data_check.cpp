// fovea data check SOURCE...: what is wrong with pictures and their boxes, as a table and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/fovea/data.hpp"
#include "datasets/boxes/check.hpp"
#include "modules/io/files.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/file_run.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    R"(SOURCE is a COCO file (.json), a folder of Pascal VOC (Annotations, JPEGImages, ImageSets), or a data.yaml or folder of
YOLO (images, labels).
Errors are what training would stumble over or leave out: unreadable and missing files, degenerate boxes, boxes beside their
picture, unknown classes, pictures of another size than the annotations say, pictures that are listed twice. Warnings: boxes
over the edge, duplicate boxes, classes without objects, and pictures that nearly equal one of an earlier split (of the same
view, at most a quarter moved out of it).
Exit code 3 where there are errors.

Examples:
  fovea data check cells                                  (Pascal VOC with ImageSets/train.txt and val.txt)
  fovea data check train.json val.json --json findings.json)";

struct Settings {
  BoxSources from;
  std::string json;
};

const char* name_of(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::string text_of(const BoxFinding& f) {
  return printable(f.file.empty() ? f.text : f.file.string() + ": " + without_name(f.text, f.file.string()));
}

std::string counts_table(const BoxCheck& check) {
  std::size_t width = 5;
  for (const auto& part : check.parts) width = std::max(width, part.name.size());
  std::string text = fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}\n", "split", width, "pictures", "empty", "objects", "ignored");
  for (const auto& p : check.parts)
    text += fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}\n", printable(p.name), width, p.images, p.empty, p.objects, p.ignored);
  return text;
}

std::string classes_table(const BoxCheck& check) {
  std::size_t width = 5;
  for (const std::string& name : check.classes) width = std::max(width, std::min<std::size_t>(name.size(), 40));
  std::string text = fmt::format("{:<{}}", "class", width);
  for (const auto& part : check.parts)
    text += fmt::format(" {:>{}}", printable(part.name), std::max<std::size_t>(9, part.name.size()));
  text += "\n";
  for (std::size_t c = 0; c < check.classes.size(); ++c) {
    text += fmt::format("{:<{}}", printable(check.classes[c]), width);
    for (const auto& part : check.parts)
      text += fmt::format(" {:>{}}", part.of_class[c], std::max<std::size_t>(9, part.name.size()));
    text += "\n";
  }
  return text;
}

// Errors first, kind by kind, with the first few of each.
std::string findings_list(const BoxCheck& check) {
  constexpr std::size_t kShown = 10;
  std::map<std::pair<bool, std::string>, std::vector<const BoxFinding*>> by_kind;
  for (const BoxFinding& f : check.findings) by_kind[{f.severity == Severity::warning, f.kind}].push_back(&f);
  std::string text;
  for (const auto& [key, all] : by_kind) {
    text += fmt::format("\n{}: {} ({})\n", name_of(all.front()->severity), key.second, all.size());
    for (std::size_t i = 0; i < all.size() && i < kShown; ++i)
      text += fmt::format("  {}  {}\n", printable(all[i]->part), text_of(*all[i]));
    if (all.size() > kShown) text += fmt::format("  ... and {} more; --json writes all\n", all.size() - kShown);
  }
  return text;
}

Json to_json(const BoxCheck& check) {
  Json splits = Json::array(), findings = Json::array(), kinds = Json::object();
  for (const auto& p : check.parts) {
    Json objects = Json::object();
    for (std::size_t c = 0; c < check.classes.size(); ++c) objects[check.classes[c]] = p.of_class[c];
    splits.push_back({{"split", p.name},
                      {"pictures", p.images},
                      {"empty", p.empty},
                      {"objects", p.objects},
                      {"ignored", p.ignored},
                      {"of_class", objects}});
  }
  for (const BoxFinding& f : check.findings) {
    Json one{{"severity", name_of(f.severity)}, {"kind", f.kind}, {"split", f.part}};
    if (!f.file.empty()) put_name(one, "file", f.file.string());
    one["text"] = f.file.empty() ? f.text : without_name(f.text, f.file.string());
    findings.push_back(std::move(one));
    kinds[f.kind] = kinds.value(f.kind, 0) + 1;
  }
  return {{"errors", check.count(Severity::error)},
          {"warnings", check.count(Severity::warning)},
          {"classes", check.classes},
          {"splits", splits},
          {"kinds", kinds},
          {"findings", findings}};
}

int run_check(const Settings& s) {
  std::vector<BoxPart> parts = read_parts(s.from, false);
  for (BoxPart& part : parts) part.name = shown_name(part);
  const BoxCheck check = check_boxes(parts);
  std::cout << counts_table(check) << "\n" << classes_table(check) << findings_list(check);
  const std::size_t errors = check.count(Severity::error), warnings = check.count(Severity::warning);
  std::cout << fmt::format("\n{} error{}, {} warning{}\n", errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
  if (!s.json.empty()) {
    const std::string text = to_json(check).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    write_file_atomically(s.json, text.data(), text.size());
  }
  return errors > 0 ? kExitQuarantined : kExitDone;
}

}  // namespace

Command data_check_command() {
  auto s = std::make_shared<Settings>();
  Command c{"check", "Find what is wrong with pictures and their boxes before a training does", kFooter};
  c.options.words("sources", s->from.sources, "COCO files, folders of Pascal VOC, files or folders of YOLO");
  c.options.require();
  s->from.add_options(c.options);
  c.options.flag("--one-based", s->from.one_based, "Corners of Pascal VOC count pixels from 1, the last one belongs to the box");
  c.options.output_file("--json", s->json, "Write all findings and counts as JSON");
  c.run = [s] { return run_check(*s); };
  return c;
}

}  // namespace fovea
