// A tiny network of every family of backbones, and the recipes that put a block into one.
#pragma once

#include <functional>
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
// A ResNet-50 of two blocks with CBAM in both.
extern const char* const kCbam;

// `rules`: lines as rule() gives them.
std::string recipe(const Small& s, const std::string& rules);
std::string rule(const std::string& at, const std::string& block, bool identity);
Tensor picture(const Small& s);  // two of them, as one batch
Tensor pictures(const Shape& shape, std::uint64_t seed);
// Calls `check` with the network that has the block there, and a picture for it; false for a block that does not fit, as
// misfits.hpp says.
bool check_block_in(const Small& s, const std::string& at, const std::string& block,
                    const std::function<void(const Model&, const Tensor&)>& check);
// Random statistics and weights: fresh norms have mean 0, variance 1, bias 0, which would hide a wrong fold.
void scatter(const Model& model, std::uint64_t seed);
Tensors floating_parameters(const Model& model);
Tensors matrices(const Model& model);  // of them, those that are multiplied with: of rank 2 and more
// What a plan gives: its outputs, then its taps.
Tensors planned(const plan::Plan& plan, const Tensor& x);
// The paths of each kind of slot ("map", "conv", "tokens"), one of each name, the widths being small everywhere.
std::map<std::string, std::vector<std::string>> slot_paths(const Model& model);
// The names of all blocks that fit a slot.
std::vector<std::string> blocks();

}  // namespace fovea::test
