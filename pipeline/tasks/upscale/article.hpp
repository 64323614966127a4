// An upscaled image in a report: before and after, an enlarged detail, attention.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/sinks/ledger.hpp"

namespace fovea {

// An <article>. What cannot be read any more is said in its place.
std::string upscaled_article(const std::filesystem::path& folder, const Record& record);

}  // namespace fovea
