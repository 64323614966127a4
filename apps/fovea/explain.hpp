// Options of `fovea explain`, and what is made of all images together.
#pragma once

#include <string>
#include <vector>

#include "apps/fovea/lanes.hpp"
#include "pipeline/batch.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {

struct ExplainArguments {
  std::vector<std::string> inputs;
  std::string out, model, raw = "npy", colours = "turbo", boxes;
  ExplainOptions options;
  double opacity = 0.5;
  LaneArguments lanes;
  bool statistics = false, list_layers = false, quiet = false, json = false;
};

// Attention of all images that are done, written to OUT/statistics.csv, .json and .svg. Gives the picture.
std::string write_statistics(const std::filesystem::path& out, const Ledger& ledger, const Explainer& explainer);

// Means over the images that are done: insertion and deletion where they were measured, and the pointing game where `boxes` names a
// file of boxes. Empty when there is nothing to say.
nlohmann::ordered_json faithfulness_of(const std::filesystem::path& out, const Ledger& ledger, const std::string& boxes);

// The layers that the model has, one a line.
void print_layers(const Model& model);

}  // namespace fovea
