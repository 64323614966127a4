// What the registry knows about its entries, for people: options with defaults, parameters, arithmetic.
#pragma once

#include <string>
#include <vector>

#include "modules/nn/registry.hpp"

namespace fovea {

struct Described {
  std::string name, text, paper;
  Kind kind = Kind::map;
  std::vector<Args::Described> options;
  std::string error;  // why it cannot be made with its defaults at this size; the numbers are then absent
  std::int64_t parameters = -1, multiply_adds = -1;
};

// Made with its defaults on a map of channels x side x side. Blocks of kind conv stand for a 3x3 convolution that keeps the map;
// backbones take a picture of 3 channels instead, of 224 x 224.
Described describe(const Registry::Entry& entry, std::int64_t channels, std::int64_t side);

// Where a kind of block fits.
const char* place_of(Kind kind);

}  // namespace fovea
