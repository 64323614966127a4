// The recipe of a model that is fitted to normal pictures, from the recipe of the network whose features it takes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "modules/model.hpp"

namespace fovea {

// What the head and the recipe's record say.
struct NormalRecipe {
  std::vector<std::string> features;  // of the backbone
  int size = 0;                       // side that pictures are fitted into; 0: as they are
  std::int64_t vectors = 1;
  double smooth = 0.5, mean = 0, spread = 1, limit = 1;
  std::vector<std::pair<std::string, std::string>> fitted = {};  // the record: keys and values
};

// The backbone with the blocks in its slots, and the preprocessing, which then sees the whole picture; without neck and head. Error where there is no backbone.
std::string normal_recipe(const Model& network, const NormalRecipe& r);

// Features of the middle: the last of stride 8 and of stride 16; else the last one.
std::vector<std::string> middle_features(const Model& network);

}  // namespace fovea
