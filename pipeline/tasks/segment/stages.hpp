// From logits to labels as a stage, and the stage that writes them.
#pragma once

#include <nlohmann/json.hpp>

#include "pipeline/stage.hpp"
#include "pipeline/stages/infer.hpp"
#include "pipeline/tasks/segment/label_map.hpp"

namespace fovea {

inline constexpr Key<LabelMap> kLabelMap{"label map"};

class DecodeLabels final : public Stage {
 public:
  std::string_view name() const override { return "decode"; }
  Contract contract() const override { return Contract().needs(kResult).needs(kGeometry).gives(kLabelMap).drops(kResult); }
  void process(std::span<Frame> frames) override;
};

// {"file": ..., "precision": ..., "width", "height", "classes": [{"class", "share", "confidence"}, ...]}: the share of the pixels that a class has, and its mean probability there.
nlohmann::ordered_json answer_of(const Frame& frame, const std::vector<std::string>& classes, DType precision);

// For the output "photo.jpg.json": "photo.jpg.mask.png" with the labels (of one class 255 for it), "photo.jpg.overlay.png" to look at, and
// the JSON last.
class SaveLabels final : public Stage {
 public:
  SaveLabels(std::vector<std::string> classes, DType precision, double opacity)
      : classes_(std::move(classes)), precision_(precision), opacity_(opacity) {}
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kImage).needs(kLabelMap).drops(kImage).drops(kLabelMap); }
  void process(std::span<Frame> frames) override;

 private:
  std::vector<std::string> classes_;
  DType precision_;
  double opacity_;
};

}  // namespace fovea
