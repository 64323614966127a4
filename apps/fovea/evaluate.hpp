// What `fovea eval` does for each kind of model.
#pragma once

#include "datasets/super_resolution.hpp"
#include "pipeline/stages/upscale.hpp"

namespace fovea {

// Scores of an upscaling model, through the very path that `fovea upscale` takes.
EvalTable evaluate(const Model& model, const EvalSet& set, const UpscaleOptions& options);

struct ClassifierEvaluation {
  // Folders with one folder a class, or .csv files; with a teacher folders of pictures, or .txt lists of them.
  std::vector<std::string> data;
  std::string teacher;  // a model whose answers are the truth; empty: the data say it
  DType precision = DType::f32;
  int batch = 16;
  std::string json, confusion;  // files to write; empty: none
};
// Prints the table and writes what is asked for. Returns the exit code: 3 where pictures had to be left out.
int evaluate_classifier(const Model& model, const ClassifierEvaluation& e);

}  // namespace fovea
