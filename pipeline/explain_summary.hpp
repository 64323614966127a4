// What is made of all explained images together.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/explained.hpp"
#include "pipeline/sinks/ledger.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {

// Attention of all images that are done, written to OUT/statistics.csv, .json and .svg. Gives the picture.
std::string write_statistics(const std::filesystem::path& out, const Ledger& ledger, const Explainer& explainer);

// Means over the images that are done: insertion and deletion where they were measured, and the pointing game over images that have boxes.
// Empty when there is nothing to say.
nlohmann::ordered_json faithfulness_of(const std::filesystem::path& out, const Ledger& ledger, const Boxes& boxes);

}  // namespace fovea
