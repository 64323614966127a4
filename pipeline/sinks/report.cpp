#include "pipeline/sinks/report.hpp"

#include <fmt/format.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

#include "modules/io/files.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_page.hpp"

namespace fovea {
namespace fs = std::filesystem;

namespace {

std::string card(const std::string& value, const std::string& label, const char* kind = "") {
  return fmt::format("<div class=\"card {}\"><b>{}</b><span>{}</span></div>\n", kind, value, html(label));
}

std::string settings_list(const nlohmann::json& settings) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : settings.items())
    if (key != "model" && key != "weights" && key != "recipe" && value != "")
      facts.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  return html_list(facts);
}

// Spread evenly over the records, so that a folder's first images do not stand for all.
std::vector<const Record*> chosen(const std::vector<const Record*>& done, std::size_t shown) {
  const std::size_t count = std::min(shown, done.size());
  std::vector<const Record*> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(done[i * done.size() / count]);
  return some;
}

// The articles, in the order of the operation's keys where it has some.
std::string articles(const fs::path& folder, const std::vector<const Record*>& done, const ReportFacts& facts) {
  const ReportParts& parts = facts.parts;
  const auto some = chosen(done, parts.shown);
  std::vector<std::pair<std::string, std::string>> texts(some.size());  // key, article
  tbb::task_arena arena(std::max(1, facts.threads));
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, some.size(), [&](std::size_t i) {
      texts[i] = {parts.sort_key ? parts.sort_key(folder, *some[i]) : std::string(), facts.article(folder, *some[i])};
    });
  });
  std::stable_sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string all = "<h2>Images</h2>\n";
  if (some.size() < done.size())
    all += fmt::format("<p class=\"soft\">{} of {}, spread over the run; all are in the list below.</p>\n", some.size(),
                       done.size());
  if (parts.tiles) all += "<div class=\"tiles\">\n";
  for (const auto& [key, text] : texts) all += text;
  return all + (parts.tiles ? "</div>\n" : "");
}

// What is to be said of inputs: the records' own texts.
std::string input_table(const char* title, const char* said, const std::vector<const Record*>& records,
                        std::string (*text_of)(const Record&)) {
  if (records.empty()) return {};
  std::string text = fmt::format("<h2>{}</h2>\n<table><tr><th>input</th><th>{}</th></tr>\n", title, said);
  for (std::size_t i = 0; i < std::min(kReportRows, records.size()); ++i)
    text += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", html(records[i]->input), html(text_of(*records[i])));
  text += "</table>\n";
  if (records.size() > kReportRows)
    text += fmt::format("<p class=\"soft\">and {} more: see {}</p>\n", records.size() - kReportRows, kLedgerName);
  return text;
}

std::string reason_table(const char* title, const std::vector<const Record*>& records) {
  return input_table(title, "reason", records, [](const Record& r) { return r.reason; });
}

std::string note_table(std::vector<const Record*> done) {
  std::erase_if(done, [](const Record* r) { return r->notes.empty(); });
  return input_table("Notes", "note", done, [](const Record& r) { return fmt::format("{}", fmt::join(r.notes, "; ")); });
}

std::string time_table(const std::vector<const Record*>& done) {
  std::string text =
      "<h2>All images</h2>\n<details><summary>List with times</summary><table><tr><th>output</th><th>seconds</th></tr>\n";
  for (std::size_t i = 0; i < std::min(kReportRows, done.size()); ++i)
    text += fmt::format("<tr><td>{}</td><td class=\"n\">{:.2f}</td></tr>\n", html(done[i]->output), done[i]->seconds);
  text += "</table>";
  if (done.size() > kReportRows)
    text += fmt::format("<p class=\"soft\">and {} more: see {}</p>", done.size() - kReportRows, kLedgerName);
  return text + "</details>\n";
}

std::string totals(const ReportFacts& facts, std::size_t done, std::size_t quarantined) {
  double cpu = 0;
  for (const auto& [stage, seconds] : facts.result.cpu) cpu += seconds;
  std::string text = "<div class=\"cards\">\n" + card(std::to_string(done), "images done");
  text += card(std::to_string(quarantined), "quarantined", quarantined > 0 ? "bad" : "");
  if (facts.result.left > 0) text += card(std::to_string(facts.result.left), "left: " + facts.result.stopped, "bad");
  text += card(clock_text(facts.result.wall), fmt::format("last run, {} thread{}", facts.threads, facts.threads == 1 ? "" : "s"));
  if (facts.result.done > 0)
    text += card(fmt::format("{:.2f}", static_cast<double>(facts.result.done) / std::max(facts.result.wall, 1e-9)),
                 "images a second");
  return text + card(clock_text(cpu), "processor time") + "</div>\n";
}

}  // namespace

std::string others_text(const Ledger::Others& others) {
  std::string text;
  if (others.settings > 0) text = fmt::format("{} made by another model or with other settings", others.settings);
  if (others.inputs > 0)
    text += fmt::format("{}{} of inputs that this run was not given", text.empty() ? "" : ", ", others.inputs);
  return text.empty() ? text : "left out of tables and report: answers of former runs in this folder: " + text;
}

fs::path write_report(const fs::path& folder, const Ledger& ledger, const ReportFacts& facts) {
  const auto done = ledger.present(Record::State::done), quarantined = ledger.present(Record::State::quarantined);
  std::string page = kPageHead;
  if (!facts.parts.style.empty()) page += "<style>" + facts.parts.style + "</style>\n";
  page += fmt::format("<h1>{}</h1><p class=\"soft\">{}</p>\n", html(facts.parts.title),
                      facts.nameless ? std::string() : html(fs::absolute(folder).lexically_normal().string()));
  page += totals(facts, done.size(), quarantined.size());
  page +=
      "<h2>Model and settings</h2>\n<div class=\"cards\" style=\"grid-template-columns:repeat(auto-fit,minmax(320px,1fr))\"><div "
      "class=\"card\">";
  page += html_list(facts.model) + "</div><div class=\"card\">" + settings_list(facts.settings) + "</div></div>\n";
  if (const std::string text = others_text(facts.result.others); !text.empty())
    page += "<p class=\"soft\">" + html(text) + "</p>\n";
  page += facts.parts.extra + reason_table("Quarantined", quarantined) +
          reason_table("Skipped", ledger.present(Record::State::skipped)) + note_table(done);
  if (!done.empty()) page += articles(folder, done, facts) + time_table(done);
  page += kPageScript;
  const fs::path file = folder / kReportName;
  try {
    write_file_atomically(file, page.data(), page.size());
  } catch (const FileError& e) { throw EnvironmentError(e.what()); }
  return file;
}

}  // namespace fovea
