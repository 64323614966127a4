// A classified image in a report: a thumbnail with bars for the most probable classes.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/sinks/ledger.hpp"

namespace fovea {

// An <article>. What cannot be read any more is said in its place.
std::string predictions_article(const std::filesystem::path& folder, const Record& record);
// By class, the surest first.
std::string predictions_sort_key(const std::filesystem::path& folder, const Record& record);
extern const char* const kPredictionsStyle;

}  // namespace fovea
