// Which of equal maxima get the gradient.
#pragma once

#include <cstdint>

namespace fovea {

enum class Ties : std::uint8_t {
  first,  // the first alone: torch.max, max_pool2d
  equal   // all of them, in equal shares: torch.amax
};

}  // namespace fovea
