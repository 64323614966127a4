#include "apps/fovea/findings.hpp"

#include <fmt/format.h>

#include <iostream>
#include <map>

#include "modules/io/files.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/file_run.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::string text_of(const Finding& f) {
  return printable(f.file.empty() ? f.text : f.file.string() + ": " + without_name(f.text, f.file.string()));
}

std::string list_of(const std::vector<Finding>& findings) {
  constexpr std::size_t kShown = 10;
  std::map<std::pair<bool, std::string>, std::vector<const Finding*>> by_kind;
  for (const Finding& f : findings) by_kind[{f.severity == Severity::warning, f.kind}].push_back(&f);
  std::string text;
  for (const auto& [key, all] : by_kind) {
    text += fmt::format("\n{}: {} ({})\n", name_of(all.front()->severity), key.second, all.size());
    for (std::size_t i = 0; i < all.size() && i < kShown; ++i)
      text += fmt::format("  {}  {}\n", printable(all[i]->part), text_of(*all[i]));
    if (all.size() > kShown) text += fmt::format("  ... and {} more; --json writes all\n", all.size() - kShown);
  }
  return text;
}

}  // namespace

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array(), kinds = Json::object();
  for (const Finding& f : findings) {
    Json one{{"severity", name_of(f.severity)}, {"kind", f.kind}, {"split", f.part}};
    if (!f.file.empty()) put_name(one, "file", f.file.string());
    one["text"] = f.file.empty() ? f.text : without_name(f.text, f.file.string());
    list.push_back(std::move(one));
    kinds[f.kind] = kinds.value(f.kind, 0) + 1;
  }
  return {{"errors", count_of(findings, Severity::error)},
          {"warnings", count_of(findings, Severity::warning)},
          {"kinds", kinds},
          {"findings", list}};
}

int tell_findings(const std::vector<Finding>& findings, const Json& json, const std::string& file) {
  const std::size_t errors = count_of(findings, Severity::error), warnings = count_of(findings, Severity::warning);
  std::cout << list_of(findings)
            << fmt::format("\n{} error{}, {} warning{}\n", errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
  if (!file.empty()) write_file_atomically(file, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  return errors > 0 ? kExitQuarantined : kExitDone;
}

}  // namespace fovea
