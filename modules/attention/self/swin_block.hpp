// What the blocks of Swin v1 and v2 share: a map cut into (shifted) windows, attention in them, an MLP, residuals.
#pragma once

#include "modules/attention/self/window_attention.hpp"

namespace fovea {

// Options of swin_block and swin_block_v2; version 1 or 2.
std::unique_ptr<Block> swin_block(int version, const std::string& name, const Scope& scope, std::int64_t channels, Args& args);

}  // namespace fovea
