// Two recipes of one training compared: what may differ when it is resumed, and what makes it another training.
#pragma once

#include <string>
#include <vector>

namespace fovea {

struct RecipeChange {
  std::string key;          // "train.optimizer.lr"
  std::string then, now;    // empty: the key is not there
  std::string str() const;  // "train.optimizer.lr was 0.005, is 0.006"
};

// Every value that differs between two recipes' texts, in order of their keys.
std::vector<RecipeChange> recipe_changes(const std::string& then, const std::string& now);

// How often something is written, and what work is shared out or kept: no result depends on it, but for the roundings of gradients on another
// number of threads.
bool changes_no_result(const std::string& key);
// How long the training goes on: what is behind it stays what it was.
bool changes_the_end(const std::string& key);

}  // namespace fovea
