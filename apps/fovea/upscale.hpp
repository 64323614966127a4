// Options of `fovea upscale` and what it says at the end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/fovea/lanes.hpp"
#include "modules/model.hpp"
#include "pipeline/batch.hpp"
#include "pipeline/stages/upscale.hpp"

namespace fovea {

struct UpscaleArguments {
  std::vector<std::string> inputs;
  std::string out, model, tile = "auto", precision = "f32", maps, format = "same";
  LaneArguments lanes;
  int scale = 0, quality = 95;
  bool self_ensemble = false, report = false, quiet = false, json = false;
};

// The shipped model for a scale.
std::string default_model(int scale);

// What a finished run is described with.
struct UpscaleSummary {
  const UpscaleArguments& arguments;
  const Model& model;
  UpscaleOptions options;
  BatchResult result;
  int threads;
  std::string report;  // file; empty when none was written
};
void print_json_summary(const UpscaleSummary& summary);
void print_summary(const UpscaleSummary& summary);

}  // namespace fovea
