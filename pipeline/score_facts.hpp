// What an explanation tells of a network's answer.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace fovea {

// {"predicted": the first `top` of the answers, "target": the explained one}. Answers: objects with a "class", the surest first.
inline nlohmann::ordered_json score_facts(const std::vector<nlohmann::ordered_json>& answers,
                                          const nlohmann::ordered_json& target, int top) {
  nlohmann::ordered_json facts{{"predicted", nlohmann::ordered_json::array()}};
  for (std::size_t i = 0; i < answers.size() && i < static_cast<std::size_t>(top); ++i) facts["predicted"].push_back(answers[i]);
  facts["target"] = target;
  return facts;
}

}  // namespace fovea
