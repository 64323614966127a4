#include "pipeline/tasks/highlight/anomaly_scores.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/labelled.hpp"
#include "datasets/metrics/ranking.hpp"
#include "modules/core/text.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

bool is_normal(const std::string& label) { return label == "normal" || label == "good"; }

std::vector<double> deviations_of(const std::vector<PictureScore>& scores) {
  std::vector<double> out;
  for (const PictureScore& s : scores) out.push_back(s.deviations);
  return out;
}

}  // namespace

bool has_kinds(const fs::path& data) {
  return data.extension() == ".csv" || fs::is_directory(data / "normal") || fs::is_directory(data / "good");
}

std::vector<JudgedPicture> read_kinds(const fs::path& data, std::vector<BadFile>& left_out) {
  const LabelledData all = read_labelled({data});
  const auto normal = std::count_if(all.classes.begin(), all.classes.end(), is_normal);
  check(normal == 1 && all.classes.size() > 1, data.string(),
        ": expected pictures of one kind that is called normal (or good), and of others that are anomalous");
  std::vector<JudgedPicture> out;
  for (const Sample& s : all.samples) {
    const std::string& kind = all.classes[static_cast<std::size_t>(s.label)];
    out.push_back({s.file, is_normal(kind) ? std::string() : kind});
  }
  left_out.insert(left_out.end(), all.left_out.begin(), all.left_out.end());
  return out;
}

void AnomalyScores::add(const std::string& kind, const PictureScore& score) {
  (kind.empty() ? normal_ : kinds_[kind]).push_back(score);
}

double AnomalyScores::share_above(const std::vector<PictureScore>& scores) const {
  const auto above = std::count_if(scores.begin(), scores.end(), [&](const auto& s) { return s.probability >= threshold_; });
  return scores.empty() ? 0 : static_cast<double>(above) / static_cast<double>(scores.size());
}

std::vector<AnomalyScores::Line> AnomalyScores::lines() const {
  std::vector<Line> out{{"all", {}}};
  for (const auto& [kind, scores] : kinds_) {
    out[0].scores.insert(out[0].scores.end(), scores.begin(), scores.end());
    if (kinds_.size() > 1) out.push_back({kind, scores});
  }
  return out;
}

double AnomalyScores::auroc() const { return pairs_in_order(deviations_of(normal_), deviations_of(lines()[0].scores)); }

nlohmann::ordered_json AnomalyScores::json_of(const Line& line) const {
  const auto low = deviations_of(normal_), high = deviations_of(line.scores);
  return {{"kind", line.name},
          {"pictures", line.scores.size()},
          {"auroc", pairs_in_order(low, high)},
          {"auroc_interval", pairs_in_order_interval(low, high)},
          {"found", share_above(line.scores)}};
}

std::string AnomalyScores::table() const {
  std::vector<Line> all = lines();
  std::size_t width = 9;
  for (const Line& line : all) width = std::max(width, line.name.size());
  std::string text = fmt::format("{:<{}} {:>8} {:>8} {:>16} {:>8}\n", "anomalies", width, "pictures", "AUROC", "95 %", "found");
  for (const Line& line : all) {
    const auto json = json_of(line);
    const auto interval = json.at("auroc_interval").get<std::array<double, 2>>();
    text += fmt::format("{:<{}} {:>8} {:>8.4f} {:>16} {:>8.4f}\n", printable(line.name), width, line.scores.size(),
                        json.at("auroc").get<double>(), fmt::format("{:.3f} to {:.3f}", interval[0], interval[1]),
                        json.at("found").get<double>());
  }
  return text + fmt::format("of {} normal pictures {:.4f} were taken for anomalous ones (from a probability of {:g})\n",
                            normal_.size(), share_above(normal_), threshold_);
}

nlohmann::ordered_json AnomalyScores::json() const {
  nlohmann::ordered_json json{{"normal", normal_.size()}, {"false_alarms", share_above(normal_)}, {"threshold", threshold_}};
  for (const Line& line : lines()) json["anomalies"].push_back(json_of(line));
  return json;
}

}  // namespace fovea
