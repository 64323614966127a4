// Explaining as a stage, and the stage that writes what came out.
#pragma once

#include <memory>
#include <mutex>

#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/stage.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {

inline constexpr Key<Explained> kExplained{"explained"};

class ExplainImages final : public Stage {
 public:
  explicit ExplainImages(std::shared_ptr<const Explainer> explainer) : explainer_(std::move(explainer)) {}
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kImage).gives(kExplained); }
  void process(std::span<Frame> batch) override;

 private:
  std::shared_ptr<const Explainer> explainer_;
};

enum class RawMap { none, npy, png };

struct SaveExplainedOptions {
  RawMap raw = RawMap::npy;
  Colours colours = Colours::turbo;
  double opacity = 0.5;
};

// For the output "photo.jpg.json": "photo.jpg.<map>.png" to look at, "photo.jpg.<map>.npy" (or .raw.png) with the values,
// "photo.jpg.<gate>.svg" with the gates of channels, and the JSON last, so that where it is all the others are.
class SaveExplained final : public Stage {
 public:
  explicit SaveExplained(SaveExplainedOptions options) : options_(options) {}
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kImage).needs(kExplained).drops(kImage).drops(kExplained); }
  void process(std::span<Frame> batch) override;

 private:
  void save_map(Frame& frame, const PlacedMap& map, nlohmann::ordered_json& facts) const;

  SaveExplainedOptions options_;
};

}  // namespace fovea
