// A registered block through the op harness, its parameters as further inputs: random values instead of their starting ones, so
// that what begins at zero takes part.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "modules/nn/registry.hpp"
#include "tests/support/check_op.hpp"

namespace fovea::test {

struct MadeBlock {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(11);
  std::unique_ptr<Block> block;
};

using Options = std::map<std::string, std::string>;

// The block under the path "net".
MadeBlock make_block(const std::string& name, std::int64_t channels, const Options& options = {}, const Args::Lists& lists = {});

// Small random values for every parameter and positive ones for running variances, the same at each call; f64 afterwards.
void randomise(ParamStore& store);

// `flat`: parameters whose gradient is zero by the formula, such as a bias in front of a softmax: in f32 there is rounding alone.
void check_block(const std::string& name, std::int64_t channels, const Tensors& inputs, const Options& options = {},
                 const Args::Lists& lists = {}, const std::set<std::string>& flat = {}, OpCheck check = {});

// The value of the tap called `name` (its full path) in a run of the block.
Tensor tap_of(const Block& block, const Vars& in, const std::string& name);

}  // namespace fovea::test
