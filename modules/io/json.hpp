// Files of JSON, and files with one JSON value a line.
#pragma once

#include <filesystem>
#include <istream>
#include <string>

#include "modules/core/json.hpp"

namespace fovea {

// Error with the file's name: missing, too large (nothing is read then), not JSON.
JsonValue read_json(const std::filesystem::path& file, const JsonLimits& limits = {});

// The next line, without its end. A line longer than `most` is passed over: `line` is then empty and `bytes` counts it all the same. False
// where no line with an end is left.
bool next_line(std::istream& in, std::string& line, std::int64_t& bytes, std::size_t most);

}  // namespace fovea
