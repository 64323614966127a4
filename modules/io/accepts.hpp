// What a model was made for: a recipe's `accepts:`. Other scans are refused, since a network answers whatever it is shown.
//   accepts: {modality: [DX, CR], body_part: [CHEST], view: [PA, AP], spacing: [0.1, 0.6], pictures: true}
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "modules/io/yaml.hpp"

namespace fovea {

struct Accepts {
  // DICOM's codes ("CT", "CHEST", "PA"); empty: any.
  std::vector<std::string> modality, body_part, view;
  std::optional<std::array<double, 2>> spacing;  // mm a pixel, smallest and largest
  bool pictures = true;                          // files that are no scans, of which nobody knows what they show
};

// Of a recipe's key `accepts`, which may be absent. Error for keys and values that make no sense.
Accepts read_accepts(const Yaml& recipe);

}  // namespace fovea
