#include "pipeline/tasks/highlight/score_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

std::string number(double v) { return std::isfinite(v) ? fmt::format("{:.4f}", v) : "-"; }

std::size_t name_width(const std::vector<RegionScores>& scores) {
  std::size_t width = 5;
  for (const RegionScores& s : scores) width = std::max(width, s.name.size());
  return width;
}

std::string overlap_table(const std::vector<RegionScores>& scores, std::size_t width) {
  std::string text = fmt::format("{:<{}} {:>8} {:>16} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "class", width, "Dice", "95 %",
                                 "spread", "IoU", "pooled", "sens.", "spec.", "prec.");
  for (const RegionScores& s : scores)
    text += fmt::format("{:<{}} {:>8.4f} {:>16} {:>8.4f} {:>8.4f} {:>8.4f} {:>8.4f} {:>8.4f} {:>8.4f}\n", s.name, width, s.dice,
                        fmt::format("{:.3f} to {:.3f}", s.dice_interval[0], s.dice_interval[1]), s.dice_spread, s.iou,
                        s.pooled.dice(), s.pooled.sensitivity(), s.pooled.specificity(), s.pooled.precision());
  return text;
}

std::string curve_table(const std::vector<RegionScores>& scores, std::size_t width) {
  std::string text = fmt::format("\n{:<{}} {:>8} {:>8} {:>8} {:>12} {:>12} {:>10} {:>10}\n", "class", width, "ROC AUC", "PR AUC",
                                 "ECE", "best at", "pooled Dice", "HD95", "mean dist.");
  for (const RegionScores& s : scores) {
    const std::string unit = s.in_mm ? " mm" : " px";
    text += fmt::format("{:<{}} {:>8} {:>8} {:>8.4f} {:>12.4f} {:>12.4f} {:>10} {:>10}\n", s.name, width, number(s.roc_auc),
                        number(s.pr_auc), s.ece, s.best_threshold, s.best_dice,
                        s.outlines > 0 ? fmt::format("{:.2f}{}", s.hd95, unit) : "-",
                        s.outlines > 0 ? fmt::format("{:.2f}{}", s.mean_distance, unit) : "-");
  }
  return text;
}

std::string object_table(const std::vector<RegionScores>& scores, const std::vector<ObjectMetrics>& objects, std::size_t width) {
  std::string text = fmt::format("\n{:<{}} {:>8} {:>8} {:>8} {:>8} {:>16} {:>8} {:>8} {:>8}\n", "objects", width, "true", "found",
                                 "matched", "F1", "95 %", "AP50", "AP", "PQ");
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const ObjectCounts& c = objects[i].at(0);
    const auto interval = objects[i].f1_interval();
    text += fmt::format("{:<{}} {:>8} {:>8} {:>8} {:>8.4f} {:>16} {:>8.4f} {:>8.4f} {:>8.4f}\n", scores[i].name, width,
                        c.both + c.only_true, c.both + c.only_found, c.both, c.f1(),
                        fmt::format("{:.3f} to {:.3f}", interval[0], interval[1]), c.ap(), objects[i].mean_ap(),
                        objects[i].panoptic_quality());
  }
  return text;
}

}  // namespace

std::string region_table(const std::vector<RegionScores>& scores, const std::vector<ObjectMetrics>& objects) {
  const std::size_t width = name_width(scores);
  std::string text = overlap_table(scores, width) + curve_table(scores, width);
  if (!objects.empty()) text += object_table(scores, objects, std::max<std::size_t>(width, 7));
  return text;
}

nlohmann::ordered_json region_json(const std::vector<RegionScores>& scores, const std::vector<ObjectMetrics>& objects) {
  nlohmann::ordered_json json{{"classes", nlohmann::ordered_json::array()}};
  for (std::size_t i = 0; i < scores.size(); ++i) {
    json["classes"].push_back(json_of(scores[i]));
    if (i < objects.size()) json["classes"].back()["objects"] = objects[i].json();
  }
  return json;
}

}  // namespace fovea
