// Small pieces of HTML that every report has.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "modules/core/text.hpp"

namespace fovea {

// Text for HTML.
inline std::string html(const std::string& text) { return markup(text); }

// Names and values, one below the other.
std::string html_list(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace fovea
