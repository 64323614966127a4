// The most probable classes of class logits.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "modules/core/json.hpp"
#include "modules/core/tensor.hpp"
#include "pipeline/frame.hpp"

namespace fovea {

struct Prediction {
  std::size_t index = 0;  // of the class
  std::string name;
  double probability = 0, logit = 0;
};

inline constexpr Key<std::vector<Prediction>> kPredictions{"predictions"};  // the most probable first

// The `top` most probable classes of 1 x classes logits, the lower index first among equals. Error when they are not finite, or not as many
// as the classes.
std::vector<Prediction> top_k(const Tensor& logits, const std::vector<std::string>& classes, int top);

nlohmann::ordered_json to_json(const std::vector<Prediction>& predictions);
std::vector<Prediction> predictions_from(const JsonValue& json);  // Error

}  // namespace fovea
