// From a classifier's logits to named classes, and the stage that writes them.
#pragma once

#include "pipeline/predictions.hpp"
#include "pipeline/stage.hpp"
#include "pipeline/stages/infer.hpp"

namespace fovea {

class DecodeClasses final : public Stage {
 public:
  DecodeClasses(std::vector<std::string> classes, int top) : classes_(std::move(classes)), top_(top) {}
  std::string_view name() const override { return "decode"; }
  Contract contract() const override { return Contract().needs(kResult).gives(kPredictions).drops(kResult); }
  void process(std::span<Frame> frames) override;

 private:
  std::vector<std::string> classes_;
  int top_;
};

// {"file": ..., "precision": ..., "top": [{"class", "index", "probability"}, ...]}: what a frame's answer is in every form.
nlohmann::ordered_json answer_of(const Frame& frame, DType precision);

// Writes it to the frame's output.
class SavePredictions final : public Stage {
 public:
  explicit SavePredictions(DType precision) : precision_(precision) {}
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kPredictions).drops(kPredictions); }
  void process(std::span<Frame> frames) override;

 private:
  DType precision_;
};

}  // namespace fovea
