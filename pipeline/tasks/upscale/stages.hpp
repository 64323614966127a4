// The upscaling network as a stage, and the stage that writes its attention maps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/stage.hpp"
#include "pipeline/tasks/upscale/upscale_image.hpp"

namespace fovea {

inline constexpr Key<std::vector<AttentionMap>> kMaps{"maps"};

class SuperResolve final : public Stage {
 public:
  // Pictures that were read from JPEG files go through `for_jpeg` where there is one; both make pictures as many times larger.
  SuperResolve(UpscaleBackend network, UpscaleOptions options, std::optional<UpscaleBackend> for_jpeg = {})
      : network_(std::move(network)), for_jpeg_(std::move(for_jpeg)), options_(options) {}
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kImage).gives(kOutput).gives(kMaps).drops(kImage); }
  void process(std::span<Frame> batch) override;

 private:
  UpscaleBackend network_;
  std::optional<UpscaleBackend> for_jpeg_;
  UpscaleOptions options_;
};

enum class MapFormat { png, npy };

// Beside the output "photo.jpg": "photo.jpg.<map>.overlay.jpg" to look at and "photo.jpg.<map>.png" (or .npy) with the values.
class SaveMaps final : public Stage {
 public:
  explicit SaveMaps(MapFormat format) : format_(format) {}
  std::string_view name() const override { return "maps"; }
  Contract contract() const override { return Contract().needs(kOutput).needs(kMaps).drops(kMaps); }
  void process(std::span<Frame> batch) override;

 private:
  MapFormat format_;
};

}  // namespace fovea
