#include "pipeline/sinks/report.hpp"

#include <fmt/format.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

#include "modules/io/files.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_page.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {
namespace fs = std::filesystem;

namespace {

std::string size_text(cv::Size size) { return fmt::format("{} × {}", size.width, size.height); }

std::string card(const std::string& value, const std::string& label, const char* kind = "") {
  return fmt::format("<div class=\"card {}\"><b>{}</b><span>{}</span></div>\n", kind, value, html(label));
}

std::string settings_list(const nlohmann::json& settings) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : settings.items())
    if (key != "model" && key != "weights" && key != "scale" && value != "")
      facts.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  return html_list(facts);
}

std::string compare(const EntryPictures& p) {
  return fmt::format(
      R"(<figure class="compare"><div class="frame"><img src="{}" alt="upscaled by the model"><img class="top" src="{}" alt="enlarged bicubically"><div class="bar"></div></div>
<input type="range" min="0" max="100" value="50" aria-label="before and after"><figcaption>left of the line: bicubic; right: the model (both shrunk to fit)</figcaption></figure>
)",
      p.after, p.before);
}

std::string details(const EntryPictures& p) {
  const auto figure = [&](const std::string& uri, const char* text) {
    return fmt::format("<figure><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"\"><figcaption>{}</figcaption></figure>\n", uri,
                       p.detail.width, p.detail.height, text);
  };
  return "<div class=\"details\">" + figure(p.detail_before, "bicubic, at the output's own pixels") +
         figure(p.detail_after, "model, the same part") + "</div>\n";
}

// One image of the report. What cannot be read any more is said in its place.
std::string entry(const fs::path& folder, const Record& record) {
  std::vector<fs::path> overlays;
  for (const std::string& name : record.beside)
    if (name.ends_with(".overlay.jpg")) overlays.push_back(folder / name);
  std::string text = fmt::format("<article><header><h3>{}</h3>", html(record.output));
  try {
    const EntryPictures p = make_entry_pictures(record.input, folder / record.output, overlays);
    text += fmt::format("<span class=\"soft\">{} → {} · {:.1f} s</span></header>\n<div class=\"pictures\">", size_text(p.input),
                        size_text(p.output), record.seconds);
    text += compare(p) + details(p) + "</div>\n";
    if (!p.maps.empty()) {
      text += "<div class=\"maps\">";
      for (const std::string& map : p.maps) text += fmt::format("<figure><img src=\"{}\" alt=\"attention\"></figure>\n", map);
      text += "</div>\n";
      text += fmt::format("<p class=\"soft\" style=\"padding:0 18px\">attention of the model, {} of {} maps; red is high</p>\n",
                          p.maps.size(), overlays.size());
    }
  } catch (const std::exception& e) {
    text += fmt::format("</header><p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p>\n", html(e.what()));
  }
  return text + "</article>\n";
}

// Spread evenly over the records, so that a folder's first images do not stand for all.
std::vector<const Record*> chosen(const std::vector<const Record*>& done) {
  const std::size_t count = std::min(kReportPictures, done.size());
  std::vector<const Record*> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(done[i * done.size() / count]);
  return some;
}

std::string entries(const fs::path& folder, const std::vector<const Record*>& done, const ReportFacts& facts) {
  const auto some = chosen(done);
  std::vector<std::string> texts(some.size());
  tbb::task_arena arena(std::max(1, facts.threads));
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, some.size(),
                      [&](std::size_t i) { texts[i] = facts.entry ? facts.entry(folder, *some[i]) : entry(folder, *some[i]); });
  });
  std::string all = "<h2>Images</h2>\n";
  if (some.size() < done.size())
    all += fmt::format("<p class=\"soft\">{} of {}, spread over the run; all are in the list below.</p>\n", some.size(),
                       done.size());
  for (const std::string& text : texts) all += text;
  return all;
}

std::string quarantine_table(const std::vector<const Record*>& records) {
  if (records.empty()) return {};
  std::string text = "<h2>Quarantined</h2>\n<table><tr><th>input</th><th>reason</th></tr>\n";
  for (std::size_t i = 0; i < std::min(kReportRows, records.size()); ++i)
    text += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", html(records[i]->input), html(records[i]->reason));
  return text + "</table>\n";
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

fs::path write_report(const fs::path& folder, const Ledger& ledger, const ReportFacts& facts) {
  std::vector<const Record*> done, quarantined;
  for (const auto& [key, record] : ledger.records())
    (record.state == Record::State::done ? done : quarantined).push_back(&record);
  std::string page = kPageHead;
  page += fmt::format("<h1>{}</h1><p class=\"soft\">{}</p>\n", html(facts.title),
                      html(fs::absolute(folder).lexically_normal().string()));
  page += totals(facts, done.size(), quarantined.size());
  page +=
      "<h2>Model and settings</h2>\n<div class=\"cards\" style=\"grid-template-columns:repeat(auto-fit,minmax(320px,1fr))\"><div "
      "class=\"card\">";
  page += html_list(facts.model) + "</div><div class=\"card\">" + settings_list(facts.settings) + "</div></div>\n";
  page += facts.extra + quarantine_table(quarantined);
  if (!done.empty()) page += entries(folder, done, facts) + time_table(done);
  page += kPageScript;
  const fs::path file = folder / kReportName;
  try {
    write_file_atomically(file, page.data(), page.size());
  } catch (const FileError& e) { throw EnvironmentError(e.what()); }
  return file;
}

}  // namespace fovea
