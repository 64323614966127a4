// The entry of an explained image in a report: the picture, its maps, what the model takes it for.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/sinks/ledger.hpp"

namespace fovea {

// An <article>. What cannot be read any more is said in its place.
std::string explained_entry(const std::filesystem::path& folder, const Record& record);

}  // namespace fovea
