// All that a DICOM file says beside its pixels, for writing objects that belong to it. Names and dates are among it: not for logs, reports or tables.
#pragma once

#include <filesystem>
#include <string>

namespace fovea {

// A data set in explicit little endian and UTF-8, without pixels, private attributes and values over 64 KB; empty for files that are no DICOM. Error.
std::string read_header(const std::filesystem::path& file);

}  // namespace fovea
