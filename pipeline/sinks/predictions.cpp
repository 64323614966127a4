#include "pipeline/sinks/predictions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "modules/io/files.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_page.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kThumbnail = 220;  // longest side, pixels

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string thumbnail(const Record& record) {
  const cv::Mat image = displayable(read_image(record.input));
  const double factor = std::min(1.0, static_cast<double>(kThumbnail) / std::max(image.cols, image.rows));
  const cv::Size size(std::max(1, cvRound(image.cols * factor)), std::max(1, cvRound(image.rows * factor)));
  cv::Mat small;
  cv::resize(image, small, size, 0, 0, cv::INTER_AREA);
  return jpeg_uri(small, 80);
}

std::string bar(const Prediction& p) {
  return fmt::format("<li><span class=\"bar\" style=\"width:{:.1f}%\"></span><b>{:.1f} %</b> {}</li>\n", 100 * p.probability,
                     100 * p.probability, html(p.name));
}

std::string tile(const Classified& c) {
  std::string text = "<article>";
  try {
    text += fmt::format("<img src=\"{}\" alt=\"\">", thumbnail(*c.record));
  } catch (const std::exception& e) { text += fmt::format("<p class=\"soft\">no picture: {}</p>", html(e.what())); }
  text += fmt::format("<h3>{}</h3><ol>\n", html(fs::path(c.record->input).filename().string()));
  for (const Prediction& p : c.top) text += bar(p);
  return text + "</ol></article>\n";
}

constexpr const char* kStyle = R"html(<style>
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 16px; }
.tiles article { margin: 0; padding: 12px; }
.tiles img { max-width: 100%; height: 160px; object-fit: contain; display: block; margin: 0 auto 8px; border-radius: 6px; }
.tiles ol { list-style: none; margin: 8px 0 0; padding: 0; font-size: 13px; }
.tiles li { position: relative; padding: 2px 6px; overflow-wrap: anywhere; }
.tiles .bar { position: absolute; inset: 1px auto 1px 0; background: var(--accent); opacity: .22; border-radius: 4px; }
</style>
)html";

}  // namespace

std::vector<Classified> read_predictions(const fs::path& folder, const Ledger& ledger) {
  std::vector<Classified> all;
  for (const auto& [key, record] : ledger.records()) {
    if (record.state != Record::State::done) continue;
    try {
      const auto bytes = read_file(folder / record.output);
      all.push_back({&record, predictions_from(nlohmann::ordered_json::parse(bytes.begin(), bytes.end()).at("top"))});
    } catch (const std::exception&) { continue; }  // removed since: the ledger does it again next time
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

std::string predictions_page(const std::vector<Classified>& all, const Ledger& ledger,
                             const std::vector<std::pair<std::string, std::string>>& facts, std::size_t shown) {
  std::vector<const Classified*> sorted;
  for (const Classified& c : all) sorted.push_back(&c);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Classified* a, const Classified* b) {
    return std::pair(a->top.empty() ? "" : a->top[0].name, a->top.empty() ? 0 : -a->top[0].probability) <
           std::pair(b->top.empty() ? "" : b->top[0].name, b->top.empty() ? 0 : -b->top[0].probability);
  });
  std::string page =
      std::string(kPageHead) + kStyle + "<h1>Fovea classify</h1>\n<div class=\"card\">" + html_list(facts) + "</div>\n";
  page += fmt::format("<h2>{} image{}</h2>\n", all.size(), all.size() == 1 ? "" : "s");
  if (sorted.size() > shown) page += fmt::format("<p class=\"soft\">the first {} here, all in {}</p>\n", shown, kPredictionsCsv);
  page += "<div class=\"tiles\">\n";
  for (std::size_t i = 0; i < std::min(shown, sorted.size()); ++i) page += tile(*sorted[i]);
  page += "</div>\n";
  std::string quarantined;
  for (const auto& [key, record] : ledger.records())
    if (record.state == Record::State::quarantined)
      quarantined += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", html(record.input), html(record.reason));
  if (!quarantined.empty())
    page += "<h2>Quarantined</h2>\n<table><tr><th>input</th><th>reason</th></tr>\n" + quarantined + "</table>\n";
  return page + "</main></body></html>\n";
}

std::vector<fs::path> write_predictions(const fs::path& folder, const Ledger& ledger, bool page,
                                        const std::vector<std::pair<std::string, std::string>>& facts) {
  const std::vector<Classified> all = read_predictions(folder, ledger);
  std::vector<std::pair<fs::path, std::string>> files{{folder / kPredictionsCsv, predictions_csv(all)},
                                                      {folder / kPredictionsJsonl, predictions_jsonl(all)}};
  if (page) files.emplace_back(folder / kPredictionsPage, predictions_page(all, ledger, facts));
  std::vector<fs::path> written;
  for (const auto& [file, text] : files) {
    try {
      write_file_atomically(file, text.data(), text.size());
    } catch (const FileError& e) { throw EnvironmentError(e.what()); }
    written.push_back(file);
  }
  return written;
}

}  // namespace fovea
