// A tiny network of every family of backbones, and the recipes that put a block into one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "modules/model.hpp"

namespace fovea::test {

struct Small {
  std::string backbone, options;
  std::int64_t height = 32, width = 32;
  std::string head = "{type: classify, classes: 3}";
};

extern const std::vector<Small> kSmall;

// `rules`: lines as rule() gives them.
std::string recipe(const Small& s, const std::string& rules);
std::string rule(const std::string& at, const std::string& block, bool identity);
Tensor picture(const Small& s);  // two of them, as one batch
// The places of each kind of slot ("map", "conv", "tokens"), one of each name, the widths being small everywhere.
std::map<std::string, std::vector<std::string>> places(const Model& model);
// The names of all blocks that fit a slot.
std::vector<std::string> blocks();

}  // namespace fovea::test
