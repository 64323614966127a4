// A study: one network trained with each of several attention blocks in the same slots, several seeds each, and measured.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "modules/io/yaml.hpp"

namespace fovea {

// One row of the study: a block, where it goes, with which options; or what else is different in the model. "none" is the network as the
// recipe has it.
struct StudyBlock {
  std::string label;                                         // as the user wrote it
  std::string type, at;                                      // empty: no block, `options` are keys of the recipe
  std::vector<std::pair<std::string, std::string>> options;  // name and value
};

// "cbam", "cbam:reduction=8:kernel=5", "deform_conv@backbone.layer3.*.conv2"; `at` where none is given; or keys of the recipe's model,
// "model.head.attention=spatial:model.head.convs=3". Error for what is neither.
StudyBlock parse_study_block(const std::string& text, const std::string& at);

// The recipe with that block put in and that seed.
Yaml study_recipe(const Yaml& recipe, const StudyBlock& block, int seed);

// What one training came to; kept in its folder as result.json.
struct StudyResult {
  double score = 0;                       // of the best validation, what training selected by
  std::map<std::string, double> metrics;  // all numbers of that validation
  double seconds = 0;                     // of its steps
  double insertion = 0, deletion = 0;     // of Grad-CAM maps, where `maps`
  bool maps = false;
  int pictures = 0;  // that were asked for maps
};
void to_json(nlohmann::json& j, const StudyResult& r);
void from_json(const nlohmann::json& j, StudyResult& r);

struct StudyRow {
  std::string label;
  std::int64_t parameters = 0, multiply_adds = 0;
  double latency = 0;  // ms, median
  std::vector<StudyResult> results;

  using Number = std::function<double(const StudyResult&)>;
  double mean(const Number& number) const;
  double spread(const Number& number) const;  // sample standard deviation over the seeds; 0 of one
};

std::string study_table(const std::vector<StudyRow>& rows);  // text
std::string study_csv(const std::vector<StudyRow>& rows);
std::string study_svg(const std::vector<StudyRow>& rows, const std::string& title);  // score against latency

// Adds what the maps of a trained model are worth: mean insertion and deletion areas of its Grad-CAM maps over `pictures` validation
// pictures of the run in `folder`. Leaves the result as it is where the model's task has no score to explain, or the run kept no table of
// its validation pictures.
void measure_maps(const std::filesystem::path& folder, int pictures, StudyResult& result);

}  // namespace fovea
