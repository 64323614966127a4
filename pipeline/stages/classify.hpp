// A classifier as a stage, and the stage that writes what it said beside nothing but a small JSON file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "modules/model.hpp"
#include "modules/preprocess.hpp"
#include "pipeline/stage.hpp"

namespace fovea {

struct Prediction {
  std::size_t index = 0;  // of the class
  std::string name;
  double probability = 0;
};

inline constexpr Key<std::vector<Prediction>> kPredictions{"predictions"};  // the most probable first

// The most probable `top` classes of 1 x classes logits. Error when they hold NaN.
std::vector<Prediction> top_k(const Tensor& logits, const std::vector<std::string>& classes, int top);

// What the model's recipe says about pictures; the usual 224 x 224 where it says nothing.
Preprocess preprocess_of(const Model& model);

struct ClassifyOptions {
  int top = 5;
  DType precision = DType::f32;
};

class Classify final : public Stage {
 public:
  Classify(Model model, const ClassifyOptions& options);  // Error when the model does not classify
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kImage).gives(kPredictions).drops(kImage); }
  void process(std::span<Frame> batch) override;

 private:
  Model model_;
  Preprocess preprocess_;
  ClassifyOptions options_;
};

nlohmann::ordered_json to_json(const std::vector<Prediction>& predictions);
std::vector<Prediction> predictions_from(const nlohmann::ordered_json& json);  // throws what nlohmann throws

// Writes {"file": ..., "top": [{"class", "index", "probability"}, ...]} to the frame's output.
class SavePredictions final : public Stage {
 public:
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kPredictions).drops(kPredictions); }
  void process(std::span<Frame> batch) override;
};

}  // namespace fovea
