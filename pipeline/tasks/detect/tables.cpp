#include "pipeline/tasks/detect/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "datasets/boxes/detections.hpp"
#include "datasets/csv.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::string csv_of(const std::vector<FoundBoxes>& all, const std::vector<std::string>& classes) {
  std::string text = "file,class,score,x1,y1,x2,y2\r\n";
  for (const FoundBoxes& found : all)
    for (const Detection& d : found.detections)
      text +=
          fmt::format("{},{},{:.6f},{:.3f},{:.3f},{:.3f},{:.3f}\r\n", csv_field(found.input),
                      csv_field(classes.at(static_cast<std::size_t>(d.label))), d.score, d.box.x1, d.box.y1, d.box.x2, d.box.y2);
  return text;
}

std::string coco_of(const std::vector<FoundBoxes>& answers, const std::vector<std::string>& classes) {
  nlohmann::ordered_json all{{"images", nlohmann::ordered_json::array()},
                             {"categories", nlohmann::ordered_json::array()},
                             {"annotations", nlohmann::ordered_json::array()}};
  for (std::size_t c = 0; c < classes.size(); ++c) all["categories"].push_back({{"id", c + 1}, {"name", classes[c]}});
  for (const FoundBoxes& found : answers) {
    nlohmann::ordered_json image{{"id", all["images"].size() + 1}};
    put_name(image, "file_name", found.input);
    image["width"] = found.width, image["height"] = found.height;
    for (const Detection& d : found.detections)
      all["annotations"].push_back({{"id", all["annotations"].size() + 1},
                                    {"image_id", image["id"]},
                                    {"category_id", d.label + 1},
                                    {"bbox", {d.box.x1, d.box.y1, d.box.width(), d.box.height()}},
                                    {"area", d.box.area()},
                                    {"iscrowd", 0},
                                    {"score", d.score}});
    all["images"].push_back(std::move(image));
  }
  return dump(all) + "\n";
}

std::string bar(double share) {
  return fmt::format(
      "<td style=\"width:45%\"><span style=\"display:block;height:12px;width:{:.1f}%;background:var(--accent);"
      "border-radius:3px\"></span></td>",
      100 * share);
}

}  // namespace

std::variant<FoundBoxes, FoundInVideo> read_found(const fs::path& file, const std::vector<std::string>& classes) {
  const JsonValue json = read_json(file);
  if (json.has("video")) return found_in_video(json);
  return FoundBoxes{json.at("width").whole<std::int64_t>(), json.at("height").whole<std::int64_t>(),
                    detections_from(json.at("detections"), classes)};
}

FoundInRun read_all_found(const fs::path& folder, const Ledger& ledger, const std::vector<std::string>& classes) {
  FoundInRun all;
  for (const Record* record : ledger.present(Record::State::done)) {
    try {
      auto found = read_found(folder / record->output, classes);
      std::visit([&](auto& f) { f.input = record->input; }, found);
      if (auto* video = std::get_if<FoundInVideo>(&found)) all.videos.push_back(std::move(*video));
      else all.pictures.push_back(std::move(std::get<FoundBoxes>(found)));
    } catch (const Error&) { continue; }  // removed or damaged since: done again next time
  }
  return all;
}

std::vector<fs::path> write_found(const fs::path& folder, const FoundInRun& all, const std::vector<std::string>& classes) {
  std::vector<std::pair<fs::path, std::string>> files{{folder / kDetectionsCsv, csv_of(all.pictures, classes)},
                                                      {folder / kDetectionsCoco, coco_of(all.pictures, classes)}};
  if (!all.videos.empty()) files.emplace_back(folder / kVideosCsv, videos_csv(all.videos));
  std::vector<fs::path> written;
  for (const auto& [file, text] : files) {
    write_output(file, [&, &file = file, &text = text] { write_file_atomically(file, text.data(), text.size()); });
    written.push_back(file);
  }
  return written;
}

std::string found_summary(const std::vector<FoundBoxes>& all, const std::vector<std::string>& classes) {
  std::vector<std::size_t> counts(classes.size(), 0), images(classes.size(), 0);
  std::array<std::size_t, 10> scores{};
  for (const FoundBoxes& found : all) {
    std::vector<char> seen(classes.size(), 0);
    for (const Detection& d : found.detections) {
      const auto c = static_cast<std::size_t>(d.label);
      ++counts[c], images[c] += seen[c] == 0, seen[c] = 1;
      ++scores[std::min<std::size_t>(9, static_cast<std::size_t>(d.score * 10))];
    }
  }
  const auto most = [](const auto& counted) {
    return static_cast<double>(std::max<std::size_t>(1, *std::max_element(counted.begin(), counted.end())));
  };
  std::string text =
      "<h2>What was found</h2>\n<div class=\"cards\" style=\"grid-template-columns:repeat(auto-fit,minmax(320px,1fr))\">"
      "<div class=\"card\"><table class=\"found\"><tr><th>class</th><th>objects</th><th>images</th><th></th></tr>\n";
  for (std::size_t c = 0; c < classes.size(); ++c)
    text += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td>{}</tr>\n", html(classes[c]), counts[c], images[c],
                        bar(static_cast<double>(counts[c]) / most(counts)));
  text += "</table></div><div class=\"card\"><table class=\"found\"><tr><th>score</th><th>objects</th><th></th></tr>\n";
  for (std::size_t i = scores.size(); i-- > 0;)
    text += fmt::format("<tr><td>{:.1f} to {:.1f}</td><td>{}</td>{}</tr>\n", 0.1 * static_cast<double>(i),
                        0.1 * static_cast<double>(i + 1), scores[i], bar(static_cast<double>(scores[i]) / most(scores)));
  return text + "</table></div></div>\n";
}

}  // namespace fovea
