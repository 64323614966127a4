// Swin v2 block on maps: see swin_block.cpp, which makes both.
#include "modules/attention/self/swin_block.hpp"
#include "modules/nn/registry.hpp"

namespace fovea {

FOVEA_BLOCK(swin_block_v2, "cosine attention in (shifted) windows, then an MLP, norms behind each",
            "Liu et al. 2022, arXiv:2111.09883") {
  return swin_block(2, "swin_block_v2", scope, channels, args);
}

}  // namespace fovea
