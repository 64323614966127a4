// `fovea eval captions`: captions that were written before against those of people.
#pragma once

#include <memory>

#include "datasets/metrics/captions.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// FILE is {"references": {"a.jpg": ["A dog runs .", ...]}, "hypotheses": {"a.jpg": "a dog runs"}}. Pictures that lack either are
// left out. Error for what is no such file, and where nothing can be scored.
std::unique_ptr<AnswerScorer> captions_scorer();

std::string captions_table(const CaptionsScores& scores);
// "BLEU", "ROUGE_L", "CIDEr_D", "CIDEr_D_each", "ROUGE_L_each" (by the names of the pictures), "distinct", "mean_length",
// "pictures", "references".
nlohmann::ordered_json captions_json(const CaptionsScores& scores, const std::vector<std::string>& names);

}  // namespace fovea
