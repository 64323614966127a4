// How well boxes match the true ones: figures for people and for programs, and boxes that were written before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/metrics/boxes.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// The twelve figures and those of each class; with `intervals`, of 95 %, which may be empty, how sure its AP50 is.
std::string box_table(const BoxScores& scores, const std::vector<BoxMetrics::Interval>& intervals);

// {"stats": {"AP": ...}, "per_class": {"1": {"AP", "AP50", "AR100"}}, "precision_at_50_all_100": {"1": [101 numbers]}, "names",
// "objects", "best_f1_at_50", "AP50_intervals"}, by the ids of the categories. -1 where there is no object.
nlohmann::ordered_json box_json(const BoxScores& scores, const std::vector<std::int64_t>& category_ids,
                                const std::vector<BoxMetrics::Interval>& intervals);

// `fovea eval boxes`: detections in COCO's form, against ground truth in COCO's form.
std::unique_ptr<AnswerScorer> box_scorer();

}  // namespace fovea
