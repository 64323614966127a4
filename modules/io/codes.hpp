// Coded concepts of a model's classes, for objects that other programs read: a recipe's `codes:`.
//   codes: {vessel: {category: [123037004, SCT, Anatomical Structure], type: [59820001, SCT, Blood vessel]}}
#pragma once

#include <map>
#include <string>
#include <vector>

#include "modules/io/yaml.hpp"

namespace fovea {

// Value, coding scheme ("SCT", "DCM", "99FOVEA") and meaning, of at most 16, 16 and 64 characters.
struct Code {
  std::string value, scheme, meaning;
  bool operator==(const Code&) const = default;
};

// What kind of thing a class is, and what it is: PS3.3 C.8.20.4, segmented property category and type.
struct ClassCodes {
  Code category, type;
};

// Of each of the classes, in their order; those that the recipe does not name are a tissue of a private code. Error for classes that there are not, and for codes that are none.
std::vector<ClassCodes> read_codes(const Yaml& recipe, const std::vector<std::string>& classes);

}  // namespace fovea
