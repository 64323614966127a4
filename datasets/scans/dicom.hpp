// DICOM by dcmtk: every transfer syntax that Debian's dcmtk unpacks, and JPEG 2000 by OpenJPEG; single frames, multi-frame and enhanced objects.
#pragma once

#include <filesystem>
#include <memory>

#include "datasets/scans/scan.hpp"

namespace fovea {

// By its preamble, or by a first element that an old file without one begins with.
bool is_dicom(const std::filesystem::path& file);

std::unique_ptr<Scan> open_dicom(const std::filesystem::path& file);

}  // namespace fovea
