// What was found on one input, in a report: its pictures, those of volumes behind sliders, and the classes' totals.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/sinks/ledger.hpp"

namespace fovea {

// An <article>. What cannot be read any more is said in its place.
std::string highlighted_article(const std::filesystem::path& folder, const Record& record);

}  // namespace fovea
