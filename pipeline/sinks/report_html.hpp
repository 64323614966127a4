// Small pieces of HTML that every report has.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fovea {

// Text for HTML; bytes that are not UTF-8 become replacement characters.
std::string html(const std::string& text);

// Names and values, one below the other.
std::string html_list(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace fovea
