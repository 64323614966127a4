// What one part of a network hands to the next: backbone to neck, neck to head.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fovea {

struct Feature {
  std::string name;
  std::int64_t channels = 0;
  int stride = 1;  // input pixels a cell
};

using Features = std::span<const Feature>;  // in order of depth, at least one

}  // namespace fovea
