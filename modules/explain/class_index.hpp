// Classes by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fovea::explain {

// The class that `text` names: by its whole name; by one or some of the synonyms that commas separate in it ("Egyptian cat, tabby"),
// ASCII letters in either case; or by its index. What is nearer to the whole name goes before. Errors: several classes fit as
// well (says which); none does (says the nearest name).
std::int64_t class_index(const std::string& text, const std::vector<std::string>& classes);

}  // namespace fovea::explain
