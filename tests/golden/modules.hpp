// Which block of ours a golden file's `module` is, and how its hyper-parameters are called here.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "modules/nn/block.hpp"

namespace fovea::golden {

// Null when nothing here is called `module`. Error when a hyper-parameter asks for what the block cannot do.
std::unique_ptr<Block> make(const std::string& module, const nlohmann::json& hyper, const Scope& scope);

}  // namespace fovea::golden
